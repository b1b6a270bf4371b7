"""Rewards and references of existing data: its own, a model's, side by side, and whose pairs they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolve.api import select
from evolve.recipe.given import name_of
from fake_runs import balanced, fake_recipe, make, pool_rows, prompt, write_source
from given_data import N, pair, score, train, write
from prompts.errors import UserError


def test_rewards_that_were_lost_are_read_again_without_the_policy(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", list(map(pair, range(N))))
    resolved, _ = score(data, tmp_path / "run")
    before = train(select(tmp_path / "run"))
    for part in (tmp_path / "run" / "pool" / "rewards" / resolved.rewards[0].id).glob("*.parquet"):
        part.unlink()
    with pytest.raises(UserError, match=r"lack a log-probability or a reward. `evolve score`"):
        select(tmp_path / "run")
    _, tally = score(data, tmp_path / "run")
    assert tally.samples == 0
    assert train(select(tmp_path / "run")) == before


def test_the_chosen_side_stays_chosen_whatever_the_reward_says(tmp_path: Path) -> None:
    rows = [*map(pair, range(5)), pair(7, score_chosen=1.0, score_rejected=6.0)]
    score(write(tmp_path / "data.jsonl", rows), tmp_path / "run")
    found = {row["chosen"][0]["content"]: row for row in train(select(tmp_path / "run", {"selection.k": "100%"}))}
    reversed_ = found[pair(7)["chosen"]]
    assert (reversed_["score_chosen"], reversed_["score_rejected"], reversed_["reward_margin"]) == (1.0, 6.0, 5.0)


def test_data_without_rewards_needs_a_reward_model(tmp_path: Path) -> None:
    bare = [{name: pair(i)[name] for name in ("prompt", "chosen", "rejected")} for i in range(N)]
    data = write(tmp_path / "data.jsonl", bare)
    with pytest.raises(UserError, match=r"has no rewards.*--reward"):
        score(data, tmp_path / "run")
    _, tally = score(data, tmp_path / "run", reward="fake")
    assert tally.scored == 2 * N
    assert len(train(select(tmp_path / "run", {"selection.k": "100%"}))) == N


def test_rewards_of_the_data_and_of_a_model_stand_side_by_side(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", list(map(pair, range(N))))
    _, own = score(data, tmp_path / "run")
    _, by_model = score(data, tmp_path / "run", reward="fake")
    assert (own.samples, own.scored) == (2 * N, 0)
    assert (by_model.samples, by_model.scored) == (0, 2 * N)
    assert len(pool_rows(tmp_path / "run")["rewards"]) == 4 * N


def test_all_responses_may_be_paired_by_another_rule(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"Question {i}?",
            "all_generated_responses": [f"First answer to {i}.", f"The second of {i}.", f"And {i} a third time."],
            "all_rm_scores": [1.0, 3.0 + i, 2.0],
        }
        for i in range(N)
    ]
    _, tally = score(write(tmp_path / "data.jsonl", rows), tmp_path / "run", all_responses=True)
    assert tally.samples == 3 * N
    given = train(select(tmp_path / "run", {"selection.k": "100%"}))
    best = train(select(tmp_path / "run", {"selection.k": "100%", "selection.pair_rule": "max_min"}))
    assert {row["pair_id"] for row in given} == {row["pair_id"] for row in best}


def test_a_reference_is_a_column_of_pairs_and_rows_of_its_own(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", list(map(pair, range(N))))
    score(data, tmp_path / "plain")
    assert "ref_logp_chosen" not in train(select(tmp_path / "plain"))[0]
    _, tally = score(data, tmp_path / "run", reference="fake:7")
    assert tally.referred == 2 * N
    for row in train(select(tmp_path / "run")):
        for side in ("chosen", "rejected"):
            assert np.isfinite(row[f"ref_logp_{side}"])
            assert row[f"ref_logp_{side}"] != row[f"logp_{side}"]
    _, again = score(data, tmp_path / "run", reference="fake:7")
    assert again.referred == 0
    same, _ = score(data, tmp_path / "same", reference="fake")
    assert all(row["ref_logp_chosen"] == row["logp_chosen"] for row in train(select(tmp_path / "same")))
    assert same.reference is not None


def test_a_grown_run_is_not_mixed_with_given_pairs(tmp_path: Path, made: Any) -> None:
    data = write(tmp_path / "data.jsonl", list(map(pair, range(N))))
    with pytest.raises(UserError, match=r"was grown. Give another name"):
        score(data, made.run)
    given = {"algorithm": "select-only", "selection.pair_rule": "given"}
    with pytest.raises(UserError, match="its pairs were not given"):
        select(made.run, given)
    with pytest.raises(UserError, match="needs select-only"):
        select(made.run, {"selection.pair_rule": "given"})
    best = select(made.run, {"algorithm": "select-only"})  # of D alone, which a grown run has
    assert balanced(best.manifest)["gen_dataset_evolved"]["in"] == 0


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("princeton-nlp/llama3-ultrafeedback-armorm", "llama3-ultrafeedback-armorm"),
        ("owner/name@main", "name"),
        ("./a folder/pairs.jsonl.gz", "pairs"),
        ("/data/x y.parquet", "x-y"),
        ("..", "scored"),
    ],
)
def test_a_run_is_named_after_its_data(data: str, name: str) -> None:
    assert name_of(data) == name


def test_a_run_that_evolves_nothing_selects_from_its_own_samples(tmp_path: Path) -> None:
    source = write_source(tmp_path / "prompts.jsonl", list(map(prompt, range(10))))
    made = make(fake_recipe(source, algorithm="select-only", selection__k=3), tmp_path / "run")
    assert made.calls == {"rewrite": 0, "sample": 50, "reward": 50}
    assert len(made.train) == 3
    assert set(made.train["selected"].to_pylist()) == {True}
    with pytest.raises(UserError, match="k is 11"):
        make(fake_recipe(source, algorithm="select-only", selection__k=11, sampling__seed=1), tmp_path / "other")
    with pytest.raises(UserError, match="takes the pairs of existing preference data"):
        make(fake_recipe(source, algorithm="select-only", selection__pair_rule="given"), tmp_path / "given")
