"""The guard's checks, the bounds on lengths and the floor, on a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fake_runs import Made
from prompts.errors import UserError
from selection_views import View, responses_of, views_of


@pytest.fixture
def view(made: Made, source: Path) -> View:
    return views_of(made, source)


def test_a_floor_leaves_the_hard_prompts_unranked(view: View, made: Made) -> None:
    groups = responses_of(made)
    n = made.manifest["ranking"]["ranked"]
    quarter = view(min_mean_reward="25%", k="100%")
    means = [np.mean([one["score"] for one in groups[prompt]]) for prompt in quarter.selected["prompt_id"].to_pylist()]
    assert quarter.manifest["rows"]["selection"]["dropped"] == {"below_mean_reward": n // 4}
    fixed = view(min_mean_reward=float(min(means)), k="100%")
    assert set(fixed.selected["pair_id"].to_pylist()) == set(quarter.selected["pair_id"].to_pylist())
    assert fixed.manifest["ranking"]["sigma_r"] != made.manifest["ranking"]["sigma_r"]  # of what is ranked
    with pytest.raises(UserError, match=r"No pair is left to rank .*below_mean_reward"):
        view(min_mean_reward=2.0)


def test_lengths_are_bounded_before_sigma(view: View, made: Made) -> None:
    whole = made.manifest["rows"]["gen_dataset_evolved"]
    for keys, reason in (
        ({"max_token_difference": 5}, "length_difference"),
        ({"max_token_ratio": 1.5}, "length_ratio_of_pair"),
    ):
        other = view(k="100%", **keys)
        dropped = other.manifest["rows"]["gen_dataset_evolved"]["dropped"]
        assert dropped[reason] == whole["kept"] - len(other.selected) > 0
        for row in other.train.to_pylist():
            longer, shorter = sorted((row["n_tokens_chosen"], row["n_tokens_rejected"]), reverse=True)
            assert longer - shorter <= keys.get("max_token_difference", 1e9)
            assert longer <= keys.get("max_token_ratio", 1e9) * shorter


def test_the_length_trend_is_taken_out_before_pairs_are_made(view: View, made: Made) -> None:
    other = view(length_trend="remove", k="100%")
    slope = other.manifest["ranking"]["length_slope"]
    assert slope
    groups = responses_of(made)
    of_x = [group for prompt, group in groups.items() if prompt in made.train["prompt_id"].to_pylist()[:24]]
    centred = [
        (one["score"] - np.mean([o["score"] for o in g]), one["n_tokens"] - np.mean([o["n_tokens"] for o in g]))
        for g in of_x
        for one in g
    ]
    rewards, lengths = np.array(centred).T
    assert slope == pytest.approx(rewards @ lengths / (lengths @ lengths), rel=0.2)  # X is these and one or two more
    for row in other.selected.to_pylist():
        adjusted = [one["score"] - slope * one["n_tokens"] for one in groups[row["prompt_id"]]]
        assert row["score_rejected"] == pytest.approx(min(adjusted))
    assert made.manifest["ranking"]["length_slope"] is None


@pytest.mark.parametrize("check", ["empty", "cut_off", "identical", "tie", "near_identical", "refusal"])
def test_each_check_can_be_had_alone(check: str, view: View) -> None:
    none = view(guard="paper", k="100%").manifest["rows"]["gen_dataset_evolved"]
    alone = view(guard=[check], k="100%").manifest
    assert alone["ranking"]["guard"] == [check]
    assert alone["rows"]["gen_dataset_evolved"]["kept"] <= none["kept"]
    assert set(alone["rows"]["gen_dataset_evolved"]["dropped"]) <= {
        "empty": {"too_few_responses"},
        "near_identical": {"near_identical"},
        "refusal": {"refused"},
    }.get(check, {check})


def test_the_presets_are_lists_of_checks(view: View, made: Made) -> None:
    named = view(guard=["empty", "cut_off", "identical", "tie", "near_identical"])
    assert named.train.equals(made.train)
    assert view(guard="strict").manifest["ranking"]["guard"] == [
        "cut_off", "empty", "identical", "near_identical", "refusal", "tie", "truncation",
    ]  # fmt: skip
    assert view(guard=[]).train.equals(view(guard="paper").train)


def test_pairs_that_a_trainers_truncation_makes_equal_leave(view: View) -> None:
    whole = view(k="100%").selected.to_pylist()
    short = view(k="100%", guard="strict", trainer_tokens=1)
    dropped = short.manifest["rows"]["gen_dataset_evolved"]["dropped"].get("same_after_truncation", 0)
    assert len(short.selected) == len(whole) - dropped
    alike = [row for row in whole if row["chosen"][0]["content"][:1] == row["rejected"][0]["content"][:1]]
    assert 0 < dropped <= len(alike)
    assert view(k="100%", guard="strict", trainer_tokens=10**6).selected.to_pylist() == whole
