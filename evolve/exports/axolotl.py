"""axolotl 0.19.0: messages that reach TRL as they are, by `skip_prepare_dataset`; its own chat templates put
a second BOS in front. Checked 2026-12-01.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.exports.setup import Setup, as_yaml


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, lists of messages."""
    return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]


def configs(setup: Setup) -> dict[str, str]:
    """For `axolotl train FILE`."""
    shown = {}
    for method, training in (("dpo", setup.dpo), ("simpo", setup.simpo)):
        values: dict[str, Any] = {"base_model": setup.policy, "rl": method, "rl_beta": training.beta}
        values |= {"simpo_gamma": training.gamma, "cpo_alpha": 0.0} if method == "simpo" else {}
        values |= {"skip_prepare_dataset": True, "datasets": [_dataset(setup.data)]}
        values |= {"test_datasets": [_dataset(setup.test)]} if setup.test else {}
        values |= {"sequence_len": setup.max_length, "output_dir": setup.output(method), "num_epochs": 1}
        values |= {"micro_batch_size": 1, "gradient_accumulation_steps": setup.epoch.batch, "optimizer": "adamw_torch"}
        values |= {"learning_rate": training.learning_rate, "lr_scheduler": "cosine"}
        values |= {"warmup_steps": setup.epoch.warmup_steps, "bf16": "auto", "gradient_checkpointing": True}
        head = [
            f"axolotl 0.19.0: axolotl train THIS_FILE. Hyperparameters: the paper's Table 3, {training.row}.",
            "On several GPUs divide gradient_accumulation_steps by their number.",
        ]
        shown[f"{method}.yaml"] = setup.head(*head) + as_yaml(values)
    return shown


def _dataset(path: Path) -> dict[str, Any]:
    return {"path": str(path), "ds_type": "json", "split": "train", "type": None}
