"""What every reward model promises, held against the fake one and a tiny one of each architecture."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import rewards
from rewards.protocol import Group, RewardModel, Score
from tiny_models import armorm, scalar
from tiny_pairrm import pairrm
from tiny_rewards import grm, inform, qrm, urm

BUILDERS: dict[str, Callable[[Path], object]] = {
    "armorm": armorm,
    "grm": grm,
    "inform": inform,
    "pairrm": pairrm,
    "qrm": qrm,
    "scalar": scalar,
    "urm": urm,
}
FIRST = Group(
    [{"role": "user", "content": "Name a colour."}],
    ["Blue.", "", "A long answer about red. " * 30, "\u4e2d\u6587 \U0001f600", "<|eot_id|>[SEP][PAD]"],
)
SECOND = Group(
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}],
    ["Because light scatters.", "No idea."],
)
EMPTY = Group([{"role": "user", "content": "Nobody answers."}], [])


@pytest.fixture(scope="module", params=["fake", *BUILDERS])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RewardModel:
    if request.param == "fake":
        return rewards.load("fake:0")
    folder = tmp_path_factory.mktemp(request.param)
    BUILDERS[request.param](folder)
    return rewards.load(str(folder), batch_tokens=500)


def same(a: Score, b: Score) -> bool:
    return a.error == b.error and (bool(a.error) or abs(a.score - b.score) <= 2e-5)


def test_is_a_reward_model(model: RewardModel) -> None:
    assert isinstance(model, RewardModel)
    assert model.comparable_across_prompts == (model.kind != "pairwise")
    assert model.name


def test_scores_have_the_shape_of_the_groups(model: RewardModel) -> None:
    scores = model.score([FIRST, EMPTY, SECOND])
    assert [len(row) for row in scores] == [5, 0, 2]
    assert model.score([]) == []
    for score in (score for row in scores for score in row):
        assert math.isfinite(score.score)
        assert not score.error
        assert len(score.objectives) == len(model.objective_names)


def test_scores_do_not_depend_on_the_other_groups_or_their_order(model: RewardModel) -> None:
    first, second = model.score([FIRST, SECOND])
    assert all(map(same, model.score([SECOND, EMPTY, FIRST])[2], first))
    assert all(map(same, model.score([SECOND])[0], second))
    assert all(map(same, model.score([FIRST, SECOND, FIRST])[2], first))


def test_responses_are_told_apart_and_equal_ones_are_not(model: RewardModel) -> None:
    scores = [score.score for score in model.score([FIRST])[0]]
    assert len(set(scores)) == len(scores)
    one, other, *_ = model.score([Group(SECOND.messages, ["Same.", "Same.", "Different."])])[0]
    assert same(one, other)


def test_the_order_of_responses_does_not_matter(model: RewardModel) -> None:
    reversed_group = Group(FIRST.messages, FIRST.responses[::-1])
    assert all(map(same, model.score([reversed_group])[0][::-1], model.score([FIRST])[0]))


def test_what_cannot_be_encoded_is_an_error_of_its_row(model: RewardModel) -> None:
    scores = model.score([Group(SECOND.messages, ["fine", "half a \ud83d pair", "fine too"])])[0]
    assert not scores[0].error
    assert not scores[2].error
    assert scores[1].error == "bad_unicode"


def test_trusts_itself(model: RewardModel) -> None:
    assert rewards.trust_check(model, [FIRST, SECOND, EMPTY]) <= 2e-5
