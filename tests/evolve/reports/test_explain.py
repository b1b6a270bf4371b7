"""The story of a prompt or pair in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evolve.recipe.stored import stored_recipe
from evolve.reports.explain import explained
from evolve.reports.stories import Stories
from evolve.run import Run
from fake_runs import Made
from prompts.errors import UserError


@pytest.fixture
def run(made: Made) -> Iterator[Run]:
    run = Run(stored_recipe(made.run, 1, {}), made.run, view_only=True)
    yield run
    run.pool.close()


def test_a_pair_is_found_by_any_of_its_ids(made: Made, run: Run) -> None:
    first = made.selected.slice(0, 1).to_pylist()[0]
    told = {name: explained(run, first[name]) for name in ("prompt_id", "pair_id", "chosen_id", "rejected_id")}
    assert len(set(told.values())) == 1
    assert explained(run, first["pair_id"][:12]) == told["pair_id"]


def test_the_story_has_origin_responses_margins_and_ranks(made: Made, run: Run) -> None:
    first = made.selected.slice(0, 1).to_pylist()[0]
    told = explained(run, first["pair_id"])
    assert f"a rewrite by {first['strategy']} of {first['parent_id']}" in told
    for part in (first["prompt"][-1]["content"], first["chosen"][0]["content"], first["rejected"][0]["content"]):
        assert part.splitlines()[0] in told
    assert told.count("\nResponse ") == 5
    assert f"M_r {first['reward_margin']:.4g}, M_pi {first['implicit_margin']:.4g}" in told
    own = next(line for line in told.splitlines() if "own metric" in line)
    assert own.split()[:2] == ["map", "1"]
    assert "selected" in own


def test_a_prompt_without_a_pair_says_why(run: Run) -> None:
    outcome = run.execute()
    stories = Stories(run, outcome)
    without = next(one for one in stories.ids if stories.of(one)["pair"] is None)
    assert f"No pair ({stories.of(without)['reason']}: " in explained(run, without)


def test_an_initial_prompt_lists_its_rewrites_with_their_verdicts(run: Run) -> None:
    told = explained(run, run.prompts[0])
    assert "one of X" in told
    assert told.count(", kept:") + told.count(":\n") >= 5


@pytest.mark.parametrize(("asked", "why"), [("abc", "too short"), ("f" * 24, "expected a prompt_id, pair_id")])
def test_an_id_that_is_none_is_told(run: Run, asked: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        explained(run, asked)
