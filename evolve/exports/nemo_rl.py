"""NeMo-RL 7ea279ab (PreferenceDataset): the prompt as context, and ranked completions. Checked 2026-11-25."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import Any

from evolve.exports.setup import Setup


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{context, completions}: lists of messages; rank 0 is the chosen completion, rank 1 the rejected one."""
    completions = [{"rank": rank, "completion": pair[name]} for rank, name in enumerate(("chosen", "rejected"))]
    return [{"context": pair["prompt"], "completions": completions}]


def configs(setup: Setup) -> dict[str, str]:
    """For `sh FILE` in a checkout of NeMo-RL: its own dpo.yaml, with these values in place. It has no SimPO."""
    epoch = setup.epoch  # of full batches: it drops the last one where it is not
    n_warm_up = math.ceil(epoch.warm_up * epoch.full_steps)
    linear, cosine = (f"torch.optim.lr_scheduler.{name}" for name in ("LinearLR", "CosineAnnealingLR"))
    warm_up = {"name": linear, "kwargs": {"start_factor": 0.1, "total_iters": n_warm_up}}
    rest = {"name": cosine, "kwargs": {"T_max": max(1, epoch.full_steps - n_warm_up)}}
    # Its own schedule is a list, which only another list can replace.
    schedule: list[Any] = [warm_up, rest] if n_warm_up else [rest]
    schedule += [{"milestones": [n_warm_up] if n_warm_up else []}]
    values: dict[str, Any] = {
        "policy.model_name": setup.policy,
        "policy.tokenizer.name": setup.policy,
        "policy.max_total_sequence_length": setup.max_length,
        "policy.train_global_batch_size": epoch.batch,
        "policy.train_micro_batch_size": 1,
        "policy.optimizer.kwargs.lr": setup.dpo.learning_rate,
        "policy.scheduler": schedule,
        "dpo.reference_policy_kl_penalty": setup.dpo.beta,
        "dpo.max_num_steps": epoch.full_steps,
        "data.train": _dataset(setup.data),
        "data.validation": _dataset(setup.test) if setup.test else None,
        "checkpointing.checkpoint_dir": setup.output("dpo"),
    }
    if setup.test is None:
        values |= {"dpo.val_period": 0, "dpo.val_at_start": False, "checkpointing.metric_name": None}
    lines = ["uv run examples/run_dpo.py", *(shlex.quote(f"{key}={_hydra(value)}") for key, value in values.items())]
    head = [
        f"NeMo-RL 7ea279ab: sh THIS_FILE, in its checkout. Hyperparameters: the paper's Table 3, {setup.dpo.row}.",
    ]
    return {"dpo.sh": setup.head(*head) + " \\\n  ".join(lines) + "\n"}


def _dataset(path: Path) -> dict[str, Any]:
    return {"dataset_name": "PreferenceDataset", "data_path": str(path), "split": "train"}


def _hydra(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_hydra, value)) + "]"
    if isinstance(value, str):
        # Quotes are escaped, and so are the backslashes before one; others stand for themselves.
        return "'" + re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), value) + "'"
    return "null" if value is None else str(value).lower()
