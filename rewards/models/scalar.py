"""Scalar reward models: a causal backbone and one linear row, the stock `*ForSequenceClassification` of transformers.

Skywork-Reward, FsfairX-LLaMA3-RM and their like. Three traps of this family are shut here. The stock class reads the
rightmost token that is not the padding id: where padding and end-of-turn are one id it skips the end of the response,
so the last token is read here by its true position (`compat=True` reads as the stock class does, one row at a time).
A template rendered to text and tokenized again gets two BOS: ids come from the template, and a doubled BOS is
dropped. A checkpoint without `score.weight` gets a random one from transformers and a note in a log: it is an error
here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from prompts.errors import UserError
from rewards.checkpoint_model import ConversationModel
from rewards.protocol import Score

# Weights that a checkpoint may hold and a reward does not need.
HARMLESS = ("rotary_emb.inv_freq", "lm_head.weight")


class ScalarClassifier(ConversationModel):
    """A loaded sequence classifier with one label."""

    def prepare(self, device: torch.device) -> Any:
        backbone, self.weight = _load(self.folder, self.dtype, device)
        return backbone

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token."""
        if not ids:
            return "template_refused"
        last = len(ids) - 1
        while self.compat and last > 0 and ids[last] == self.pad_id:
            last -= 1
        return Row(ids, (last,), number)

    def scores(self, states: torch.Tensor) -> list[Score]:
        return [Score(value) for value in (states[:, 0] @ self.weight).tolist()]


def _load(folder: Path, dtype: torch.dtype, device: torch.device) -> tuple[Any, torch.Tensor]:
    """The backbone and the float32 head (hidden,), or a UserError if a weight is missing, unknown or of a wrong
    shape.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    tensors = Tensors(folder)  # refuses pickled and incomplete checkpoints before transformers sees them
    with torch.device("meta"):  # nothing is allocated before the sizes are those of the weights
        sizes = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(str(folder)))
    _check_sizes(folder, sizes, tensors)
    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder}: transformers can't load it ({str(error).strip()[:300]}).") from error
    _check(folder, info)
    if model.config.num_labels != 1 or "score.weight" not in tensors.shapes or not hasattr(model, "score"):
        raise UserError(
            f"{folder}: one label and a `score` head on a causal backbone are expected, found "
            f"{type(model).__name__} with {model.config.num_labels} labels. Give another model."
        )
    head = tensors.load(["score.weight"], torch.float32, device)["score.weight"]
    backbone = model.model.to(device).eval()
    return backbone, head[0]


def _check_sizes(folder: Path, model: Any, tensors: Tensors) -> None:
    """Raise UserError if config.json speaks of more parameters than twice those that are there: names may differ
    between versions of transformers, so single tensors are compared once it has loaded them.
    """
    expected = sum(tensor.numel() for tensor in model.state_dict().values())
    found = sum(math.prod(shape) for shape in tensors.shapes.values())
    if expected > 2 * found:
        raise UserError(
            f"{folder}: config.json describes a model of {expected:,} parameters, and the weights have {found:,}. "
            "Fetch the complete checkpoint, or correct config.json."
        )


def _check(folder: Path, info: dict[str, Any]) -> None:
    """Raise UserError if transformers would have left a weight random or unused."""
    found = {
        "missing": info["missing_keys"],
        "not expected": [key for key in info["unexpected_keys"] if not key.endswith(HARMLESS)],
        "wrong shape": [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]],
    }
    problems = [f"{label}: {', '.join(sorted(keys)[:8])}" for label, keys in found.items() if keys]
    if problems:
        raise UserError(
            f"{folder}: the weights do not fit the model that config.json describes. {'; '.join(problems)}. "
            "A score from such a checkpoint would mean nothing: fetch the complete checkpoint, or correct config.json."
        )
