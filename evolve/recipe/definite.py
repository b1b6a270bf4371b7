"""A recipe with nothing left open: what "auto", a Hub name, "~" or an environment variable stand for, here and now."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from evolve.recipe.fingerprint import hub_commit, is_weightless
from evolve.recipe.sections import Policy, Recipe, Reward
from evolve.sources.hub import pinned_source
from evolve.sources.location import absolute
from generation.checkpoint import read_json, resolve
from generation.device import has_gpu
from generation.openai_client import normalised_base_url
from generation.template import template_text, unread, uses_date
from generation.thoughts import Tags, tags_of
from prompts.display import holds_secret, redacted
from prompts.errors import UserError

_COMMIT = re.compile(r"[^/]@[0-9a-f]{40}\Z")


def definite(recipe: Recipe, earlier: Recipe | None = None, pinned: Mapping[str, str] | None = None) -> Recipe:
    """`recipe` with resolved dtypes, Hub names with their commits, the judge's server, and an absolute source.

    `earlier` is a definite recipe of the same run: its judge's server is kept, where the environment names none.
    `pinned` are the names of the Hub that the run has looked up before (`pins`): their commits stay, so that a branch
    that moves does not change a run half way, and what is known needs no connection.
    """
    pinned = pinned or {}
    policy, reward = recipe.policy, recipe.reward
    source = absolute(recipe.prompts.source)
    model = _pin(policy.model, pinned)
    ensemble = {_pin(name, pinned): weight for name, weight in reward.ensemble.items()}
    settings: dict[str, dict[str, Any]] = {
        "prompts": {"source": pinned.get(_dataset(source)) or pinned_source(source)},
        "policy": {
            "model": model,
            "dtype": policy.dtype if policy.servers else _policy_dtype(model, policy.dtype),
            "served_model": policy.served_model or (policy.model.partition("@")[0] if policy.servers else None),
            "template_date": _day([model], policy, earlier.policy if earlier else None),
            "thought_tags": policy.thought_tags or _tags(model),
        },
        "reward": {
            "model": _pin(reward.model, pinned),
            "dtype": _reward_dtype([reward.model, *ensemble], reward.dtype),
            "ensemble": ensemble,
            "template_date": _day([reward.model, *ensemble], reward, earlier.reward if earlier else None),
            "base_url": _base_url(recipe, earlier),
        },
    }
    if recipe.reference is not None:
        reference = _pin(recipe.reference.model, pinned)
        settings["reference"] = {"model": reference, "dtype": _policy_dtype(reference, recipe.reference.dtype)}
    data = recipe.model_dump()
    for section, values in settings.items():
        data[section] |= values
    return Recipe.model_validate(data)


def pins(asked: Recipe, found: Recipe) -> dict[str, str]:
    """The names of the Hub in `asked`, with or without a branch, each with what `found`, `asked` made definite, has in
    its stead: the name at a commit. A dataset's name is told from a model's as the Hub does it.
    """
    names = dict(zip(_models(asked), _models(found), strict=True))
    names[_dataset(asked.prompts.source)] = found.prompts.source
    return {name: now for name, now in names.items() if _COMMIT.search(now) and not name.endswith(now)}


def _models(recipe: Recipe) -> list[str]:
    reference = [recipe.reference.model] if recipe.reference else []
    return [recipe.policy.model, recipe.reward.model, *recipe.reward.ensemble, *reference]


def _dataset(source: str) -> str:
    return f"datasets/{source}"


def _pin(model: str, pinned: Mapping[str, str]) -> str:
    if is_weightless(model):
        return model
    if Path(model).expanduser().is_dir():
        return str(Path(model).expanduser().resolve())
    if model in pinned:
        return pinned[model]
    commit = hub_commit(resolve(model, weights=False))
    return f"{model.partition('@')[0]}@{commit}" if commit else model


def _policy_dtype(model: str, dtype: str) -> str:
    """auto: float32 on a CPU; on a GPU the checkpoint's own, and bfloat16 for a float32 one, as vLLM has it."""
    if dtype != "auto" or is_weightless(model):
        return dtype
    if not has_gpu():
        return "float32"
    config = read_json(resolve(model, weights=False), "config.json")
    own = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    return own if own in ("bfloat16", "float16") else "bfloat16"


def _day(models: list[str], section: Policy | Reward, earlier: Policy | Reward | None) -> str | None:
    """The day that chat templates print: the one that is given, the run's, or today. None where none prints any.

    Raises UserError for a switch that none of the templates reads.
    """
    folders = [resolve(model, weights=False) for model in models if not is_weightless(model)]
    texts = [template_text(folder) for folder in folders]
    if texts and (unknown := unread(section.chat_template_kwargs, texts)):
        key = type(section).__name__.lower()
        raise UserError(
            f"{key}.chat_template_kwargs: the chat template in {folders[0]} reads no {', '.join(unknown)}. Name a "
            "switch that it has, or remove this one."
        )
    if not any(map(uses_date, texts)):
        return None
    return section.template_date or (earlier and earlier.template_date) or date.today().isoformat()


def _tags(model: str) -> Tags | None:
    return None if is_weightless(model) else tags_of(template_text(resolve(model, weights=False)))


def _reward_dtype(models: list[str], dtype: str) -> str:
    if dtype != "auto" or all(map(is_weightless, models)):
        return dtype
    return "bfloat16" if has_gpu() else "float32"


def _base_url(recipe: Recipe, earlier: Recipe | None) -> str | None:
    if not any(name.startswith(("openai:", "pairs:")) for name in (recipe.reward.model, *recipe.reward.ensemble)):
        return recipe.reward.base_url
    found = recipe.reward.base_url or os.environ.get("OPENAI_BASE_URL")
    if found and holds_secret(found):
        raise UserError(
            f"OPENAI_BASE_URL has credentials in it ({redacted(found)}), and the address is kept with the run. Give "
            "the address alone, and the key as OPENAI_API_KEY."
        )
    if found:
        return normalised_base_url(found)
    return earlier.reward.base_url if earlier else None
