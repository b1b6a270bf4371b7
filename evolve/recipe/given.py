"""The recipe of a run that is made of existing preference data."""

from __future__ import annotations

import re
from typing import Any

from evolve.recipe.fingerprint import GIVEN
from evolve.recipe.loading import override_recipe
from evolve.recipe.sections import Recipe

SHARE = "40%"  # of an existing dataset (paper, Section 3.2)


def name_of(data: str) -> str:
    """A run's name for a dataset: the last part of its path or name on the Hub, in the letters that a name may have."""
    last = re.split(r"[/\\]", data.split("@")[0].rstrip("/\\"))[-1]
    stem = re.sub(r"(\.(gz|jsonl?|ndjson|parquet|arrow|csv|tsv|txt))+$", "", last, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:200] or "scored"


def given_recipe(
    data: str,
    *,
    policy: str,
    reference: str | None = None,
    reward: str | None = None,
    truncate: bool = False,
    changes: dict[str, Any] | None = None,
) -> Recipe:
    """The recipe for the pairs of `data` under `policy`; without a `reward` model the rewards are the data's own.

    Responses that were cut to the context, which only happens where one asks for it, may be chosen. Raises `UserError`.
    """
    recipe: dict[str, Any] = {
        "name": name_of(data),
        "algorithm": "select-only",
        "prompts": {"source": data},
        "policy": {"model": policy},
        "reward": {"model": reward or GIVEN},
        "selection": {"pair_rule": GIVEN, "k": SHARE, "allow_cut_off": truncate},
    }
    if reference:
        recipe["reference"] = {"model": reference}
    return override_recipe(recipe, changes or {}, f"for {data}")
