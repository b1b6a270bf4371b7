"""axolotl 0.19.0 (the last one for Python 3.11), by the exported configuration for DPO."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """The trainer that `axolotl train` sets up, and the batch of one row that its collator makes."""
    import yaml
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_preference_datasets
    from axolotl.train import setup_model_and_trainer

    exported = data.with_name(f"{data.stem}-dpo.yaml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        here = {"output_dir": scratch, "dataset_prepared_path": f"{scratch}/prepared", "bf16": False}
        here |= {"shuffle_merged_datasets": False}  # rows are compared in their order
        settings = Path(scratch) / "settings.yaml"
        settings.write_text(json.dumps(yaml.safe_load(exported) | here), encoding="utf-8")
        configuration = load_cfg(str(settings))
        trainer, *_ = setup_model_and_trainer(configuration, load_preference_datasets(cfg=configuration))
        for row in trainer.train_dataset:
            batch = trainer.data_collator([row])
            rows = zip(batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True)
            yield tuple(_tokens(*one) for one in rows)


def _tokens(ids: Any, attended: Any, completion: Any) -> tuple[list[int], list[bool]]:
    kept = attended.bool()
    return ids[kept].tolist(), completion[kept].bool().tolist()
