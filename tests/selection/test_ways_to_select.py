"""Thresholds, caps, eva's draw, and lengths, on sets small enough to know the answer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from selection.lengths import length_slope, too_different
from selection.sampling import chances, draw, draw_by_stratum, with_inverse_frequency
from selection.top_k import at_least, capped, ranked


def ids(n: int, seed: int = 0) -> list[str]:
    return [f"{i:024x}" for i in np.random.default_rng(seed).permutation(n)]


def test_a_threshold_is_at_least() -> None:
    scores = np.array([0.5, 2.0, 1.0, -1.0])
    assert at_least(scores, ranked(scores, ids(4)), 0.5).tolist() == [1, 2, 0]
    assert at_least(scores, ranked(scores, ids(4)), 3.0).tolist() == []


def test_a_cap_takes_the_best_of_each_group() -> None:
    order = np.array([4, 2, 0, 1, 3])
    parents, strategies = list("aabba"), list("xxxyy")
    assert capped(order, [(parents, 1), (strategies, None)])[0].tolist() == [4, 2]
    assert capped(order, [(parents, None), (strategies, None)])[0].tolist() == order.tolist()
    left, turned_away = capped(order, [(parents, 2), (strategies, 1)])
    # 4 (a, y) and 2 (b, x) are taken; 0 (a, x), 1 (a, x) and 3 (b, y) find their strategy full
    assert (left.tolist(), turned_away) == ([4, 2], [0, 3])
    left, turned_away = capped(order, [(parents, 1), (strategies, 2)])
    assert (left.tolist(), turned_away) == ([4, 2], [3, 0])  # what a cap turned away counts for no other


def test_chances_are_the_scaled_scores() -> None:
    assert chances(np.array([1.0, 2.0, 4.0])) == pytest.approx([0.0, 0.25, 0.75])  # 0, 1/3, 1 of 4/3
    assert chances(np.array([3.0, 3.0])).tolist() == [0.5, 0.5]
    assert chances(np.empty(0)).tolist() == []


def test_inverse_frequency_helps_what_is_rare() -> None:
    """Groups a, a, b: one over the frequency is 1/2, 1/2, 1, in all 2."""
    chance = np.array([0.5, 0.5, 0.0])
    assert with_inverse_frequency(chance, ["a", "a", "b"], 0.25) == pytest.approx([0.4375, 0.4375, 0.125])
    assert with_inverse_frequency(chance, ["a", "a", "b"], 1.0) == pytest.approx([0.25, 0.25, 0.5])
    assert with_inverse_frequency(chance, ["a", "a", "b"], 0.0) == pytest.approx(chance)


def test_a_draw_has_the_chances_of_one_after_the_other() -> None:
    """Chances 1/2, 1/3, 1/6: the first is drawn so, and then the second by what is left of them."""
    chance = np.array([3.0, 2.0, 1.0]) / 6
    drawn = Counter(tuple(draw(chance, ["a", "b", "c"], 2, seed).tolist()) for seed in range(12_000))
    for (i, j), count in drawn.items():
        expected = 12_000 * chance[i] * chance[j] / (1 - chance[i])
        assert abs(count - expected) < 5 * np.sqrt(expected), (i, j)
    assert len(drawn) == 6


def test_a_draw_does_not_depend_on_the_order_of_the_set() -> None:
    names, scores = np.array(ids(200)), np.random.default_rng(1).random(200)
    expected = names[draw(chances(scores), names.tolist(), 50, seed=3)].tolist()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(200)
        again = draw(chances(scores[order]), names[order].tolist(), 50, seed=3)
        assert names[order][again].tolist() == expected
    assert names[draw(chances(scores), names.tolist(), 50, seed=4)].tolist() != expected
    assert expected[:20] == names[draw(chances(scores), names.tolist(), 20, seed=3)].tolist()


def test_what_has_no_chance_is_drawn_last() -> None:
    chance = chances(np.array([0.0, 1.0, 2.0, 0.0]))
    for seed in range(50):
        assert set(draw(chance, list("abcd"), 4, seed).tolist()[:2]) == {1, 2}
        assert draw(chance, list("abcd"), 4, seed).tolist()[2:] == [0, 3]


@pytest.mark.parametrize(("n", "k", "strata"), [(100, 25, 10), (103, 26, 10), (7, 3, 10), (10, 10, 10), (50, 1, 10)])
def test_strata_give_the_same_share(n: int, k: int, strata: int) -> None:
    scores, names = np.random.default_rng(2).random(n), ids(n)
    taken = draw_by_stratum(scores, chances(scores), names, k, 0, strata)
    assert len(set(taken.tolist())) == len(taken) == k
    place = np.empty(n, dtype=int)
    place[ranked(scores, names)] = np.arange(n)
    per_stratum = np.bincount(place[taken] * min(strata, n) // n, minlength=min(strata, n))
    assert per_stratum.max() - per_stratum.min() <= 2


def test_bounds_on_lengths() -> None:
    chosen, rejected = np.array([10, 200, 50, 0]), np.array([20, 100, 50, 0])
    by_tokens, by_ratio = too_different(chosen, rejected, 10, 1.9)
    assert by_tokens.tolist() == [False, True, False, False]
    assert by_ratio.tolist() == [True, True, False, False]
    assert not np.any(too_different(chosen, rejected, None, None))
    assert too_different(np.array([5]), np.array([0]), None, 2.0)[1].tolist() == [True]


def test_the_slope_is_that_within_prompts() -> None:
    """Prompts that ask for longer answers have lower rewards; within each, 100 tokens are worth 0.5."""
    groups = np.repeat([0, 1, 2], 4)
    lengths = np.tile([10, 20, 30, 40], 3) + groups * 1000
    scores = 0.005 * lengths - groups * 20.0
    assert length_slope(scores, lengths, groups) == pytest.approx(0.005)
    scores[3] = np.nan
    assert length_slope(scores, lengths, groups) == pytest.approx(0.005)
    assert length_slope(scores, np.full(12, 7), groups) == 0.0
    assert length_slope(np.full(12, np.nan), lengths, groups) == 0.0
