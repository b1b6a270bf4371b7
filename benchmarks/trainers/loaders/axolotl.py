"""axolotl 0.19.0 (the last one for Python 3.11), `rl: dpo` with `skip_prepare_dataset`: the messages go to TRL."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """The trainer that `axolotl train` sets up, and the batch of one row that its collator makes."""
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_preference_datasets
    from axolotl.train import setup_model_and_trainer

    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "settings.yaml"
        settings.write_text(json.dumps(_settings(data, policy, scratch)), encoding="utf-8")
        configuration = load_cfg(settings)
        trainer, *_ = setup_model_and_trainer(configuration, load_preference_datasets(cfg=configuration))
        for row in trainer.train_dataset:
            batch = trainer.data_collator([row])
            rows = zip(batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True)
            yield tuple(_tokens(*one) for one in rows)


def _settings(data: Path, policy: Path, scratch: str) -> dict[str, Any]:
    return {
        "base_model": str(policy),
        "rl": "dpo",
        "skip_prepare_dataset": True,
        "datasets": [{"path": str(data), "ds_type": "json", "split": "train", "type": None}],
        "dataset_prepared_path": f"{scratch}/prepared",
        "output_dir": f"{scratch}/out",
        "sequence_len": 4_096,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "max_steps": 1,
        "learning_rate": 1e-6,
        "optimizer": "adamw_torch",
        "remove_unused_columns": False,
        "gradient_checkpointing": False,
        "val_set_size": 0,
        "bf16": False,
        "fp16": False,
        "tf32": False,
    }


def _tokens(ids: Any, attended: Any, completion: Any) -> tuple[list[int], list[bool]]:
    kept = attended.bool()
    return ids[kept].tolist(), completion[kept].bool().tolist()
