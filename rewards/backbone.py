"""The backbone of a checkpoint whose head is another's business: every weight in its place, or a UserError."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from generation.checkpoint import Tensors, soft_capped
from prompts.errors import UserError
from rewards.layouts import HARMLESS


def load_backbone(
    folder: Path,
    tensors: Tensors,
    *,
    head: Collection[str],
    dtype: torch.dtype,
    device: torch.device,
    places: Mapping[str, Any] | None = None,
) -> Any:
    """The transformers base model that config.json describes, without a head, on `device`.

    `head` names the tensors that the caller reads itself; any other that the backbone does not take is an error. The
    "meta" device stands for all GPUs there are: accelerate lays the layers out over them, or as `places` says
    (device_map and what belongs to it, as transformers takes them).
    """
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    config = AutoConfig.from_pretrained(str(folder))
    with torch.device("meta"):  # nothing is allocated before the sizes are those of the weights
        sizes = AutoModel.from_config(config)
    _check_sizes(folder, sizes, tensors)
    spread = _spread(folder, places) if device.type == "meta" else {}
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # its report calls a head, which the caller reads, unexpected; `_check` says what is
    try:
        model, info = AutoModel.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation="eager" if soft_capped(folder) else "sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **spread,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder}: transformers can't load it ({str(error).strip()[:300]}).") from error
    finally:
        logging.set_verbosity(verbosity)
    _check(folder, info, head)
    model = getattr(model, "language_model", model)  # of one that also sees: only what reads
    return (model if spread else model.to(device)).eval()


def _spread(folder: Path, places: Mapping[str, Any] | None) -> dict[str, Any]:
    if find_spec("accelerate") is None:
        raise UserError(
            f"{folder}: to lay a model out over several devices accelerate is needed: install evolve-select[train]."
        )
    return dict(places or {"device_map": "auto"})


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


def _check(folder: Path, info: dict[str, Any], head: Collection[str]) -> None:
    """Raise UserError if transformers would have left a weight random or unused."""
    found = {
        "missing": info["missing_keys"],
        "not expected": [key for key in info["unexpected_keys"] if key not in head and not key.endswith(HARMLESS)],
        "wrong shape": [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]],
    }
    problems = [f"{label}: {', '.join(sorted(keys)[:8])}" for label, keys in found.items() if keys]
    if problems:
        raise UserError(misfit(folder, problems))


def misfit(folder: Path, problems: list[str]) -> str:
    """The words for weights that are not those of the model."""
    return (
        f"{folder}: the weights do not fit the model that config.json describes. {'; '.join(problems)}. "
        "A score from such a checkpoint would mean nothing: fetch the complete checkpoint, or correct config.json."
    )
