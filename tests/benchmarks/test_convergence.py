"""Theorem 3.1 on small bandits: the pairs with the largest M_1 teach faster, and what is learnt is the reward."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.convergence import SAMPLERS, Setting, largest_margins, learn, ratios, steps_to


@pytest.mark.parametrize("contexts", [1, 5])
def test_the_largest_m1_needs_less_than_half_the_steps(contexts: int) -> None:
    """The theorem says more than 2 times fewer."""
    curves = {name: [learn(Setting(contexts), name, start, 300 * contexts) for start in range(3)] for name in SAMPLERS}
    assert (ratios(curves, 0.01) > 2).all()
    assert all(steps_to(curve, 0.001) < 300 * contexts for of in curves.values() for curve in of)


def test_a_rate_too_large_turns_errors_over_instead_of_removing_them() -> None:
    errors = learn(Setting(1, rate=4.0), "largest M_1", 0, 100)
    assert steps_to(errors, 0.01) == math.inf


def test_the_error_starts_as_the_largest_margin_of_rewards() -> None:
    rewards = np.random.default_rng(3).uniform(size=(5, 10))
    pairs = np.abs(rewards[:, :, None] - rewards[:, None, :])
    assert largest_margins(rewards) == pytest.approx(pairs.max(axis=(1, 2)))
    assert learn(Setting(5), "uniform", 3, 1)[0] == pytest.approx(pairs.max())


def test_an_error_that_is_never_reached_takes_for_ever() -> None:
    assert steps_to(np.array([1.0, 0.5]), 0.1) == math.inf
    assert steps_to(np.array([1.0, 0.05]), 0.1) == 1
