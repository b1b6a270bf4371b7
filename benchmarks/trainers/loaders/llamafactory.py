"""LLaMA-Factory 0.9.5, stage dpo: the folder with dataset_info.json, its template llama3."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CUTOFF = 4_096


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """As llamafactory.train.dpo.workflow does it, up to the collator."""
    _without_audio()
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    (name,) = json.loads((data / "dataset_info.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        model_args, data_args, training_args, _, _ = get_train_args(
            {
                "model_name_or_path": str(policy),
                "stage": "dpo",
                "do_train": True,
                "finetuning_type": "full",
                "pref_loss": "simpo",
                "dataset_dir": str(data),
                "dataset": name,
                "template": "llama3",
                "cutoff_len": CUTOFF,
                "overwrite_cache": True,
                "output_dir": scratch,
                "use_cpu": True,
                "report_to": "none",
            }
        )
        module = load_tokenizer(model_args)
        template = get_template_and_fix_tokenizer(module["tokenizer"], data_args)
        loaded = get_dataset(template, model_args, data_args, training_args, stage="rm", **module)
    for row in loaded["train_dataset"]:
        yield tuple(
            (row[f"{side}_input_ids"], [label != -100 for label in row[f"{side}_labels"]])
            for side in ("chosen", "rejected")
        )


def _without_audio() -> None:
    """Stand in for torchaudio, which is imported for audio that no pair has.

    Its wheels are of a torch build of their own. transformers must be imported before: it asks what is installed.
    """
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import transformers  # noqa: F401
    import trl  # noqa: F401

    absent = types.ModuleType("torchaudio")
    absent.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", absent)
