"""The reference model in a recipe: optional, checked like any section, and no part of what is sampled or scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolve.recipe.loading import override_recipe
from evolve.recipe.resolved import from_json, resolve_recipe
from evolve.recipe.sections import Recipe
from prompts.errors import UserError

DATA = {"name": "x", "prompts": {"source": "x"}, "policy": {"model": "fake"}, "reward": {"model": "fake"}}


def recipe(**overrides: object) -> Recipe:
    return override_recipe({**DATA}, {key.replace("__", "."): value for key, value in overrides.items()}, "the test's")


def test_a_slip_in_its_keys_is_told_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"reference.modle: unknown key, expected one of model, dtype, head"):
        recipe(reference__model="fake", reference__modle="fake")


def test_it_changes_neither_sampler_nor_rewards_but_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Why?\n")
    source = str(tmp_path / "x.txt")
    without, with_ = (
        resolve_recipe(recipe(prompts__source=source, **more), None, None)
        for more in ({}, {"reference__model": "fake"})
    )
    assert with_.sampler == without.sampler
    assert with_.rewards == without.rewards
    assert with_.x_id == without.x_id
    assert with_.made_of != without.made_of
    assert from_json(with_.as_json()) == with_
    old = without.as_json()
    del old["reference"], old["recipe"]["reference"]  # as runs of before have it
    assert from_json(old) == without


def test_its_dtype_and_head_are_its_identity_and_the_batch_is_not() -> None:
    ids = set()
    for more in ({}, {"reference__head": "float16"}, {"reference__dtype": "float32"}, {"reference__batch_tokens": 5}):
        made = resolve_recipe(recipe(reference__model="fake", **more), None, None).reference
        assert made is not None
        ids.add(made.id)
    assert len(ids) == 3


def test_pairs_that_are_given_need_the_algorithm_that_evolves_nothing() -> None:
    with pytest.raises(UserError, match="needs select-only"):
        recipe(selection__pair_rule="given")
    with pytest.raises(UserError, match="evolve-then-select"):
        recipe(selection__pool="combined", algorithm="select-only")
    assert recipe(selection__pair_rule="given", algorithm="select-only").selection.pair_rule == "given"
