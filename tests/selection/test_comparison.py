"""Figures of comparisons, worked by hand or against published values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selection.comparison import (
    average_ranks,
    control,
    disagrees,
    draws,
    jaccard,
    length_reward_correlation,
    n_distinct,
    rank_correlation,
    standing,
    student_quantile,
)


def test_jaccard() -> None:
    assert jaccard(np.array([1, 2, 3]), np.array([2, 3, 4])) == 0.5
    assert jaccard(np.array([1]), np.array([1])) == 1.0
    assert jaccard(np.array([1]), np.array([2])) == 0.0
    assert math.isnan(jaccard(np.array([]), np.array([])))


def test_ranks_of_ties_are_their_mean() -> None:
    assert average_ranks(np.array([10.0, 20.0, 20.0, 5.0])).tolist() == [2.0, 3.5, 3.5, 1.0]


def test_rank_correlation() -> None:
    """1 - 6 sum d^2 / (n (n^2 - 1)) without ties: d = (1, -1, 0, 0), so 1 - 12 / 60."""
    assert rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 3.0, 4.0])) == pytest.approx(0.8)
    assert rank_correlation(np.arange(5.0), -(np.arange(5.0) ** 3)) == pytest.approx(-1.0)
    assert math.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    assert math.isnan(rank_correlation(np.array([1.0]), np.array([1.0])))


def test_length_and_reward_within_pairs() -> None:
    """sum dl dr = 2 - 3 = -1, of sqrt((4 + 9) (1 + 1))."""
    found = length_reward_correlation(np.array([2.0, -3.0]), np.array([1.0, 1.0]))
    assert found == pytest.approx(-1 / math.sqrt(26))
    assert math.isnan(length_reward_correlation(np.zeros(2), np.ones(2)))


def test_disagreement_is_of_signs() -> None:
    found = disagrees(np.array([1.0, 1.0, 1.0, -2.0]), np.array([0.5, -0.5, 0.0, np.nan]))
    assert found[:3].tolist() == [0.0, 1.0, 0.0]
    assert math.isnan(found[3])


def test_parents_count_once() -> None:
    assert n_distinct(np.array([4, 4, 2])) == 2


@pytest.mark.parametrize(("degrees", "published"), [(19, 2.09302), (29, 2.04523), (99, 1.98422)])
def test_students_quantiles_are_those_of_the_tables(degrees: int, published: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(published, abs=2e-5)


def test_control_is_a_prediction_interval() -> None:
    """Of 20 draws 0, 1, 0, 1 ...: mean 0.5, deviation sqrt(20 * 0.25 / 19), t 2.09302 of 19 degrees."""
    found = control([0.0, 1.0] * 10)
    assert found is not None
    half = 2.09302 * math.sqrt(20 * 0.25 / 19) * math.sqrt(1 + 1 / 20)
    assert found == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-4)
    assert control([1.0, math.nan]) is None
    assert standing(0.5 + 2 * half, found) == 1
    assert standing(0.5 - 2 * half, found) == -1
    assert standing(0.5, found) == 0
    assert standing(math.nan, found) is None
    same = control([0.1 + 0.2] * 20)
    assert standing(0.3, same) == 0  # rounding is no difference


def test_draws_are_decided_by_ids_and_seed() -> None:
    ids = np.array([f"{i:024x}" for i in range(50)], "S24")
    first = draws(ids, 5, 3, 1)
    assert [len(set(one.tolist())) for one in first] == [5, 5, 5]
    turned = draws(ids[::-1], 5, 3, 1)
    assert [set(ids[one].tolist()) for one in first] == [set(ids[::-1][one].tolist()) for one in turned]
    assert [one.tolist() for one in draws(ids, 5, 3, 2)] != [one.tolist() for one in first]
