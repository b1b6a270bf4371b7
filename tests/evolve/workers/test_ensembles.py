"""Several reward models: how they are combined is a view, and a pair on which they part is marked."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import rewards
from evolve.recipe.loading import override_recipe
from evolve.run import Run
from fake_runs import fake_recipe, make, prompt, write_source
from prompts.errors import UserError
from rewards.combination import against, flip_rates

THREE = {"reward__ensemble": {"fake:7": 0.5, "fake:8": 1.0}}


def test_worst_case_and_penalized_by_hand() -> None:
    """z of a: -1, 1; of b (weight 3): 1, -1. Mean: (a + 3b) / 4; both models are one deviation from their mean 0."""
    scores = {"a": np.array([1.0, 3.0]), "b": np.array([30.0, 10.0])}
    how = {"mean": [0.5, -0.5], "min": [-1, -1], "penalized": [0.5 - 2, -0.5 - 2]}
    for name, expected in how.items():
        combined, disagreement = rewards.combine(scores, {"a": 1, "b": 3}, how=name, penalty=2.0)
        assert combined == pytest.approx(expected)
        assert disagreement == pytest.approx([1, 1])


def test_a_response_that_one_model_did_not_score_has_no_score() -> None:
    scores = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1.0, np.nan, 3.0])}
    for name in ("mean", "min", "penalized"):
        assert np.isnan(rewards.combine(scores, how=name)[0]).tolist() == [False, True, False]


def test_flips_by_hand() -> None:
    """Three models, four pairs: signs of the margins + + - 0, + - - +, - - + +."""
    chosen = np.array([[1.0, 1, 0, 5], [9, 1, 1, 2], [3, 3, 4, 4]])
    rejected = np.array([[0.0, 0, 1, 5], [1, 9, 2, 1], [4, 4, 3, 3]])
    assert against(chosen, rejected).tolist() == [1, 2, 2, 0]
    rates = flip_rates(chosen, rejected)
    assert rates[0].tolist() == pytest.approx([0, 1 / 3, 1])  # the tie is no pair that both order
    assert rates[1, 2] == pytest.approx(2 / 4)
    assert np.allclose(rates, rates.T)
    assert np.isnan(flip_rates(chosen[:, :0], rejected[:, :0])).all()


@pytest.mark.parametrize(
    ("combine", "made_of"),
    [
        ("mean", lambda z: (z[0] + 0.5 * z[1] + z[2]) / 2.5),
        ("min", lambda z: z.min(0)),
        ("penalized", lambda z: (z[0] + 0.5 * z[1] + z[2]) / 2.5 - 0.7 * z.std(0)),
    ],
)
def test_a_run_combines_as_its_recipe_says(tmp_path: Path, combine: str, made_of) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])
    settings = THREE | {"reward__combine": combine, "reward__penalty": 0.7}
    run = Run(fake_recipe(tmp_path / "x.jsonl", **settings), tmp_path / "run")
    run.execute()
    view = run.responses
    of_x = np.zeros(len(view.ids), bool)
    for prompt_id in run.prompts:
        of_x[view.spans[prompt_id]] = True
    z = np.stack([(one - one[of_x].mean()) / one[of_x].std() for one in view.by_model])
    np.testing.assert_allclose(view.scores, made_of(z), atol=1e-9)


def test_another_combination_calls_no_model_and_is_another_dataset(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])
    recipe = fake_recipe(tmp_path / "x.jsonl", **THREE)
    first = make(recipe, tmp_path / "run")
    worst = make(override_recipe(recipe.model_dump(by_alias=True), {"reward.combine": "min"}, "x"), tmp_path / "run")
    assert not any(worst.manifest["model_calls"].values())
    assert worst.folder != first.folder
    assert worst.train["chosen_id"].to_pylist() != first.train["chosen_id"].to_pylist()


def test_a_pair_on_which_the_models_part_is_marked(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])
    made = make(fake_recipe(tmp_path / "x.jsonl", **THREE), tmp_path / "run")
    run = Run(fake_recipe(tmp_path / "x.jsonl", **THREE), tmp_path / "run", view_only=True)
    told = [{}, {}, {}]
    for scores, maker in zip(told, run.rewards, strict=True):
        for part in run.pool.rewards(maker.id).scan(["response_id", "score"]):
            scores |= dict(zip(part["response_id"].to_pylist(), part["score"].to_pylist(), strict=True))
    rows = made.train.to_pylist()
    orders = [[of[row["chosen_id"]] > of[row["rejected_id"]] for row in rows] for of in told]
    assert [row["flips"] for row in rows] == [sum(not one[i] for one in orders) for i in range(len(rows))]
    ensemble = made.manifest["ensemble"]
    assert ensemble["flipped"] == sum(row["flips"] > 0 for row in rows) > 0
    for (a, b), said in zip(itertools.combinations(range(3), 2), ensemble["flip_rates"], strict=True):
        assert said["models"] == [run.rewards[a].model, run.rewards[b].model]
        assert said["rate"] == pytest.approx(np.mean(np.array(orders[a]) != np.array(orders[b])))


def test_one_model_has_no_flips_and_its_dataset_is_what_it_was(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])
    made = make(fake_recipe(tmp_path / "x.jsonl"), tmp_path / "run")
    assert "flips" not in made.train.column_names
    assert "ensemble" not in made.manifest
    with pytest.raises(UserError, match="combine = 'min' is of several models"):
        fake_recipe(tmp_path / "x.jsonl", reward__combine="min")
