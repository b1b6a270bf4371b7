"""A score by a model that compares responses is against the others: who they were belongs to its identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolve.api import select
from fake_runs import NO_CALLS, fake_recipe, make, write_source
from tiny_pairrm import pairrm


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(pairrm(tmp_path_factory.mktemp("pairrm")))


def test_the_view_of_two_is_the_same_before_and_after_the_third(reward: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [f"Name a fruit, please, number {i}." for i in range(4)])
    settings = {"reward__model": reward, "evolve__strategies": ["breadth"], "selection__metric": "eva"}
    settings |= {"selection__k": "100%", "selection__pool": "combined"}
    two = make(fake_recipe(source, sampling__n=2, **settings), tmp_path / "run")
    before = two.train.select(["chosen_id", "rejected_id", "score_chosen", "score_rejected"]).to_pylist()
    three = make(fake_recipe(source, sampling__n=3, **settings), tmp_path / "run")
    assert three.calls["reward"] == 3 * two.calls["reward"] // 2  # whole groups, anew
    again = make(fake_recipe(source, sampling__n=2, **settings), tmp_path / "run")
    assert again.calls == NO_CALLS
    assert again.train.select(["chosen_id", "rejected_id", "score_chosen", "score_rejected"]).to_pylist() == before
    view = select(tmp_path / "run", {"sampling.n": 3})
    assert [row["chosen_id"] for row in view.pairs()] == three.train["chosen_id"].to_pylist()
