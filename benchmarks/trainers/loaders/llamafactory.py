"""LLaMA-Factory 0.9.5: the folder with dataset_info.json, by the exported configuration for SimPO."""

from __future__ import annotations

import importlib.machinery
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """As llamafactory.train.dpo.workflow does it, up to the collator."""
    _without_audio()
    import yaml
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    (settings,) = data.glob("*-simpo.yaml")
    with tempfile.TemporaryDirectory() as scratch:
        here = {"output_dir": scratch, "bf16": False, "use_cpu": True, "overwrite_cache": True}
        arguments = yaml.safe_load(settings.read_text(encoding="utf-8")) | here
        model_args, data_args, training_args, _, _ = get_train_args(arguments)
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
