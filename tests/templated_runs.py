"""Fake runs whose recipe names a policy with a chat template: rows of the fake policy, under a real tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evolve.recipe import stored
from evolve.recipe.sections import Recipe
from evolve.run import Run
from fake_runs import Made, fake_recipe, make
from places import ROOT

EMBEDDED = ROOT / "recipes" / "embedded" / "policy"


def templated(source: Path, folder: Path, policy: Path = EMBEDDED, **settings: Any) -> Made:
    """A run of the fake policy in `folder` that is kept as one of `policy`."""
    recipe = fake_recipe(source, **{"evolve__min_content": 0.0} | settings)
    made = make(recipe, folder)
    kept = stored.kept(folder, 1)
    assert kept is not None
    of_policy = kept.recipe.model_copy(update={"policy": kept.recipe.policy.model_copy(update={"model": str(policy)})})
    stored.keep(folder, 1, replace(kept, recipe=of_policy), of_policy)
    return made


def view(folder: Path, **changes: Any) -> Run:
    """The run in `folder` for an export, its recipe as it is kept."""
    recipe: Recipe = stored.stored_recipe(folder, 1, {key.replace("__", "."): value for key, value in changes.items()})
    return Run(recipe, folder, view_only=True)
