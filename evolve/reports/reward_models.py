"""What `evolve rewards` tells: the reward models that are known, or what one checkpoint is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from evolve.recipe.loading import recipes_folder
from generation.checkpoint import Tensors, check_config, resolve
from rewards.catalogue import CATALOGUE, Known
from rewards.layouts import heads_of, layout_of

TITLES = ("reward.model", "layout", "kind", "objectives", "context", "compares", "RB2", "dtype", "licence", "used by")


def known_models() -> str:
    """A table of the models that are known, and how to use one."""
    used = _used()
    rows = [TITLES, *(_row(one, used.get(one.name, [])) for one in CATALOGUE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in rows]
    lines = ["  ".join(row).rstrip() for row in padded]
    return "\n".join(
        [
            *lines,
            "",
            "compares: whether scores compare across prompts. RB2: RewardBench 2, by Skywork-Reward-V2's README.",
            "licence: the backbone's where no more is known; the model's card decides. used by: shipped recipes.",
            'Use one:  evolve run RECIPE --set reward.model=NAME  (or in the recipe: [reward] model = "NAME")',
            "Any other checkpoint of a known layout does as well: `evolve rewards FOLDER` says what one is. Judges:",
            "openai:NAME, and more, in docs/rewards.md.",
        ]
    )


def checkpoint_told(model: str) -> str:
    """What a checkpoint is, from config.json and the headers of its weights. Raises UserError for no reward model."""
    folder = resolve(model)
    layout, config, tensors = layout_of(folder), check_config(folder), Tensors(folder)
    known = next((one for one in CATALOGUE if one.name == model.partition("@")[0]), None)
    text = config.get("text_config") or config
    about: dict[str, Any] = {
        "layout": f"{layout.name} ({layout.head})",
        "kind": layout.kind,
        "backbone": text.get("model_type", "?"),
        "reads": f"{text.get('max_position_embeddings', '?')} tokens",
        "trained for": f"{known.context} tokens" if known and known.context else None,
        "config.json says": ", ".join(config.get("architectures") or []) or "no class",
        "compares": "the responses of one prompt" if layout.kind == "pairwise" else "across prompts",
        "licence": known.licence if known else None,
        "head": ", ".join(f"{name} {list(shape)}" for name, shape in sorted(heads_of(tensors.shapes).items())[:6]),
    }
    lines = [f"  {name:<18} {value}" for name, value in about.items() if value is not None]
    return "\n".join([model, *lines])


def _row(one: Known, recipes: list[str]) -> tuple[str, ...]:
    figure = "" if one.rewardbench2 is None else f"{one.rewardbench2:.1f}"
    context = "" if one.context is None else f"{one.context:,}"
    used = "; ".join(filter(None, (", ".join(recipes), one.note)))
    compares = "yes" if one.comparable else "no"
    objectives = str(one.objectives or "")
    return one.name, one.layout, one.kind, objectives, context, compares, figure, one.dtype, one.licence, used


def _used() -> dict[str, list[str]]:
    """The shipped recipes by the reward models that they name."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(recipes_folder()).glob("*.toml")):
        reward = tomllib.loads(path.read_text(encoding="utf-8")).get("reward", {})
        for model in [reward.get("model"), *reward.get("ensemble", {})]:
            found.setdefault(str(model), []).append(path.stem)
    return found
