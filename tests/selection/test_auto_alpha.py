"""alpha = "auto": what the rule looks at, on sets where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from selection.auto_alpha import GRID, LOSS, WEAK, trace, without_one

Margins = tuple[np.ndarray, np.ndarray]


def drawn(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[Margins]]:
    """Margins of n pairs, and five versions of them in which the implicit one has some noise on top."""
    rng = np.random.default_rng(seed)
    explicit, implicit = rng.gamma(4.0, 1.0, n), rng.gamma(1.5, 0.4, n)
    again = [(explicit, np.abs(implicit + noise * rng.normal(size=n))) for _ in range(5)]
    return explicit, implicit, again


def test_without_one_makes_the_pair_of_the_others() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [0.5, 0.0, 9.0], [1.0, 2.0, np.nan]])
    hidden = np.array([[-1.0, -2.0, -4.0], [-1.0, -3.0, -2.0], [-1.0, -2.0, 0.0]])
    usable = np.array([[True, True, True], [True, True, False], [True, True, False]])
    explicit, implicit, there = without_one(scores, hidden, usable, 0)
    assert (explicit[0], implicit[0]) == (1.0, 2.0)  # 2 against 1
    assert there.tolist() == [True, False, False]
    explicit, implicit, there = without_one(scores, hidden, usable, 2)
    assert explicit.tolist() == [2.0, 0.5, 1.0]  # 9 may not be taken
    assert implicit.tolist() == [1.0, 2.0, 1.0]
    assert there.all()


def test_a_selection_that_repeats_itself_is_stable_and_chance_is_none() -> None:
    explicit, implicit, _ = drawn(2000, 0.0)
    same = trace(explicit, implicit, [(explicit, implicit)] * 5, 400)
    assert same.stability.tolist() == [1.0] * len(GRID)
    rng = np.random.default_rng(1)
    other = [(rng.permutation(explicit), rng.permutation(implicit)) for _ in range(5)]
    assert np.abs(trace(explicit, implicit, other, 400).stability).max() < 0.05
    assert trace(explicit, implicit, other, 2000).stability.tolist() == [1.0] * len(GRID)  # all of them: no choice


def test_noise_in_the_implicit_margin_lowers_alpha() -> None:
    alphas = [trace(*drawn(4000, noise), 800).alpha for noise in (0.0, 0.1, 0.3, 1.0)]
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] > 2 * alphas[-1] > 0


def test_the_alpha_that_is_found_holds_both_conditions_and_the_next_does_not() -> None:
    explicit, implicit, again = drawn(4000, 0.2)
    found = trace(explicit, implicit, again, 800)
    at = found.alphas.tolist().index(found.alpha)
    holds = (found.stability >= found.stability.max() - LOSS) & (found.weak <= WEAK)
    assert holds[at]
    assert not holds[at + 1 :].any()


def test_weak_pairs_bound_alpha_where_nothing_is_noise() -> None:
    """Margins that go together: the smaller the explicit one, the smaller the implicit one."""
    rng = np.random.default_rng(0)
    explicit = rng.gamma(1.0, 1.0, 4000)
    implicit = explicit * rng.gamma(4.0, 0.25, 4000)
    found = trace(explicit, implicit, [(explicit, implicit)] * 5, 800)
    assert found.weak[-1] > 0.3
    at = found.alphas.tolist().index(found.alpha)
    assert found.weak[at] <= WEAK < found.weak[at + 1]
    assert found.alpha < 2


def test_units_do_not_matter() -> None:
    explicit, implicit, again = drawn(1000, 0.2)
    there = trace(explicit * 30, implicit / 7, [(r * 30, pi / 7) for r, pi in again], 200)
    assert there.alpha == trace(explicit, implicit, again, 200).alpha
    assert there.stability == pytest.approx(trace(explicit, implicit, again, 200).stability)
