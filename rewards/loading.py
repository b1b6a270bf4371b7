"""Which reward model a name stands for. Adding one is a file in rewards/models and a layout in rewards.layouts."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from generation.checkpoint import check_config, read_json, reading, resolve
from prompts.errors import UserError
from rewards.layouts import claimed_layout, layout_of
from rewards.protocol import Kind, RewardModel

if TYPE_CHECKING:
    from rewards.limits import PromptContext

WHOLE = ("armorm", "pairrm")  # layouts that load their backbones themselves, onto one device


def load(
    model: str,
    *,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    device: str = "auto",
    batch_tokens: int | None = None,
    compat: bool = False,
    base_url: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    principle: str | None = None,
) -> RewardModel:
    """Load the reward model in folder or of Hub name `model`; "openai:NAME" is a judge, "pairs:NAME" one that
    compares, "fake:SEED" the fake one.

    `dtype` is the backbone's precision: "auto" is bfloat16 on a GPU and float32 elsewhere. `device` "auto" is the GPU
    if there is one, "all" spreads the backbone over all there are. `batch_tokens` bounds the tokens of one forward;
    None is what suits the device. `compat` reproduces the quirks of the released code with special strings in texts
    (see generation.conversation). `base_url` is a judge's server (None: OPENAI_BASE_URL, else OpenAI's). `arguments`
    are what its chat template is given beside conversations (generation.template.template_arguments). `principle` is
    what a language model without a reward head is asked about (rewards.models.principle). Raises UserError for anything
    but a complete, known checkpoint.
    """
    if model == "fake" or model.startswith("fake:"):
        from rewards.models.fake import FakeRewardModel

        return FakeRewardModel(_number(model))
    if model.startswith("openai:"):
        from rewards.models.judge import Judge

        return Judge(model.removeprefix("openai:"), base_url=base_url)
    if model.startswith("pairs:"):
        from rewards.models.pair_judge import PairJudge

        return PairJudge(model.removeprefix("pairs:"), base_url=base_url)
    folder = resolve(model)
    check_config(folder)
    layout = layout_of(folder)
    asked: dict[str, Any] = {}
    if layout.name == "principle":
        if not principle:
            raise UserError(
                f"{folder}: a language model without a reward head is no known reward model. Give one that "
                '`evolve rewards` lists, or let this one judge a principle: reward.principle = "helpfulness".'
            )
        asked["principle"] = principle
    import torch

    if device == "all" and layout.name in WHOLE:
        raise UserError(
            f"{folder}: {layout.builds} is not spread over devices, it fits one. Set reward.devices = 'one'."
        )
    gpu = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if gpu else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") or (device == "all" and gpu) else "float32"
    if dtype not in ("float32", "bfloat16"):
        raise UserError(f"reward dtype {dtype!r}: expected 'auto', 'float32' or 'bfloat16'.")
    if batch_tokens is not None and batch_tokens < 1:
        raise UserError(f"reward batch_tokens = {batch_tokens}: expected a positive number of tokens, such as 16384.")
    build: Any = getattr(importlib.import_module(f"rewards.models.{layout.name}"), layout.builds)
    with reading(folder, f"a reward model ({layout.builds})"):
        loaded: RewardModel = build(
            folder,
            name=model,
            dtype=getattr(torch, dtype),
            device=torch.device("meta" if device == "all" else device),
            batch_tokens=batch_tokens,
            compat=compat,
            arguments=arguments,
            **asked,
        )
    return loaded


def context(model: str, *, arguments: Mapping[str, Any] | None = None) -> PromptContext:
    """Limit and prompt lengths of a reward model, from its configuration and tokenizer alone (no weights are read)."""
    from rewards.limits import ChatContext, NoLimit

    if model == "fake" or model.startswith(("fake:", "openai:", "pairs:")):
        return NoLimit()
    folder = resolve(model, weights=False)
    if _compares(folder):
        from rewards.pair_text import PairText

        return PairText(folder)
    return ChatContext(_limit(folder), folder, arguments)


def kind_of(model: str) -> Kind:
    """Whether a reward model compares ("pairwise"), judges, or scores each response ("scalar", one with objectives
    among them), from its name and config.json alone: the weights, which tell more, may not be here yet.
    """
    if model == "fake" or model.startswith("fake:"):
        return "scalar"
    if model.startswith("openai:"):
        return "judge"
    if model.startswith("pairs:"):
        return "pairwise"
    return "pairwise" if _compares(resolve(model, weights=False)) else "scalar"


def _compares(folder: Path) -> bool:
    """Whether a checkpoint ranks the responses of one prompt, by config.json alone."""
    claimed = claimed_layout(folder, read_json(folder, "config.json", required=True))
    return claimed is not None and claimed.kind == "pairwise"


def _limit(folder: Path) -> int:
    config = check_config(folder)
    if isinstance(text := config.get("text_config"), dict) and "max_position_embeddings" in text:
        config = text  # of a model that also sees
    elif "max_position_embeddings" not in config:
        check_config(folder, required=("max_position_embeddings",))
    return int(config["max_position_embeddings"])


def _number(model: str) -> int:
    seed = model.removeprefix("fake").removeprefix(":") or "0"
    if not seed.isdecimal():
        raise UserError(f"reward model {model!r}: the fake one takes a number as its seed, such as 'fake:0'.")
    return int(seed)
