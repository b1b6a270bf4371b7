"""Every metric by cases worked by hand, the limits of alpha, and the sets on which a metric says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from prompts.errors import UserError
from selection import METRICS, Scale, scale_of, score_pairs, top_k
from selection.metrics import alignment_potential, eva, implicit, uniform

UNIT = Scale(1.0, 1.0)
# The paper's three examples: r_w, r_l, r_hat_w, r_hat_l, then M_r, M_pi and M_AP as printed there.
EXAMPLES = {
    "zulu": (11.2, 5.0, -8.9, -3.4, 6.2, 5.5, 0.7),
    "tabasco": (10.3, 3.4, -1.4, -7.7, 6.9, 6.3, 0.6),
    "game": (13.7, 13.0, -3.7, -2.9, 0.7, 0.8, -0.1),
}


def _drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, 3.0, n), rng.gamma(1.5, 0.4, n), [f"{i:024x}" for i in rng.permutation(n)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_papers_examples(name: str) -> None:
    r_w, r_l, hat_w, hat_l, m_r, m_pi, m_ap = EXAMPLES[name]
    explicit, hidden = np.array([r_w - r_l]), np.array([hat_w - hat_l])
    assert eva(explicit) == pytest.approx([m_r])
    assert implicit(hidden) == pytest.approx([-m_pi])
    assert alignment_potential(explicit, hidden, UNIT, 1.0) == pytest.approx([m_ap])


def test_margins_are_absolute_whoever_won() -> None:
    explicit, hidden = np.array([-2.0, 2.0]), np.array([0.5, -0.5])
    assert eva(explicit).tolist() == [2.0, 2.0]
    assert implicit(hidden).tolist() == [-0.5, -0.5]
    assert alignment_potential(explicit, hidden, UNIT, 1.0).tolist() == [1.5, 1.5]


def test_alignment_potential_is_scaled_by_both_deviations() -> None:
    """M_r 1, 3 (sigma 1) and M_pi 0.2, 0.6 (sigma 0.2): 1/1 - 2.5/0.2 * 0.2 = -1.5 and 3/1 - 2.5/0.2 * 0.6 = -4.5."""
    explicit, hidden = np.array([1.0, 3.0]), np.array([0.2, 0.6])
    scale = scale_of(explicit, hidden)
    assert (scale.sigma_r, scale.sigma_pi) == (pytest.approx(1.0), pytest.approx(0.2))
    scores = score_pairs("map", explicit, hidden, ["a", "b"], alpha=2.5, scale=scale)
    assert scores == pytest.approx([-1.5, -4.5])


def test_deviations_are_those_of_the_population() -> None:
    """Of 2, 4, 4, 4, 5, 5, 7, 9 the mean is 5 and the squared deviations sum to 32: sqrt(32 / 8) = 2."""
    margins = np.array([2.0, 4, 4, 4, 5, 5, 7, 9])
    assert scale_of(margins, margins / 10) == Scale(pytest.approx(2.0), pytest.approx(0.2))


def test_alpha_moves_the_ranking_from_eva_to_implicit() -> None:
    explicit, hidden, ids = _drawn(300, seed=3)
    scale = scale_of(explicit, hidden)

    def ranked(metric: str, alpha: float = 1.0) -> list[int]:
        return top_k(score_pairs(metric, explicit, hidden, ids, alpha=alpha, scale=scale), ids, "100%").tolist()

    assert ranked("map", 0.0) == ranked("map", 1e-9) == ranked("eva")
    assert ranked("map", 1e9) == ranked("implicit")
    between = ranked("map", 2.5)
    assert between != ranked("eva")
    assert between != ranked("implicit")


def test_units_of_rewards_and_log_probabilities_do_not_matter_to_the_ranking() -> None:
    explicit, hidden, ids = _drawn(100, seed=4)
    here = score_pairs("map", explicit, hidden, ids, alpha=2.5, scale=scale_of(explicit, hidden))
    there = score_pairs("map", explicit * 40, hidden / 7, ids, alpha=2.5, scale=scale_of(explicit * 40, hidden / 7))
    assert there == pytest.approx(here)


def test_uniform_depends_on_ids_and_seed_alone() -> None:
    explicit, hidden, ids = _drawn(200, seed=5)

    def scores(order: list[str], seed: int = 0, factor: float = 1.0) -> dict[str, float]:
        found = score_pairs("uniform", explicit * factor, hidden, order, alpha=1.0, scale=UNIT, seed=seed)
        return dict(zip(order, found.tolist(), strict=True))

    assert scores(ids) == scores(ids[::-1]) == scores(ids, factor=9.0)
    assert scores(ids) != scores(ids, seed=1)
    values = uniform(ids, 0)
    assert len(set(values.tolist())) == 200
    assert (values >= 0).all()
    assert (values < 1).all()
    assert 0.4 < values.mean() < 0.6


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("which", "value"), [("explicit", np.nan), ("implicit", np.inf)])
def test_a_margin_that_is_no_number_is_named(metric: str, which: str, value: float) -> None:
    explicit, hidden, ids = _drawn(10, seed=6)
    (explicit if which == "explicit" else hidden)[[2, 7, 8]] = value
    with pytest.raises(UserError, match=rf"3 of 10 pairs have an {which} margin"):
        score_pairs(metric, explicit, hidden, ids, alpha=1.0, scale=UNIT)


@pytest.mark.parametrize(
    ("flat", "named"), [((0,), "sigma_r of"), ((1,), "sigma_pi of"), ((0, 1), "sigma_r and sigma_pi")]
)
def test_no_spread_is_named(flat: tuple[int, ...], named: str) -> None:
    margins = list(_drawn(10, seed=7)[:2])
    for i in flat:
        margins[i] = np.full(10, 0.5)
    with pytest.raises(UserError, match=rf"{named} .*10 pairs is 0"):
        score_pairs("map", *margins, [str(i) for i in range(10)], alpha=1.0, scale=scale_of(*margins))


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_no_spread_but_for_rounding_is_none(n: int) -> None:
    """0.1 is no binary fraction: the mean of equal margins differs from them in the last bit, and so does no pair."""
    explicit, hidden = np.full(n, 0.1), np.linspace(0.0, 1.0, n)
    assert scale_of(explicit, hidden).sigma_r == 0
    with pytest.raises(UserError, match="sigma_r"):
        score_pairs("map", explicit, hidden, [str(i) for i in range(n)], alpha=1.0, scale=scale_of(explicit, hidden))


def test_a_small_spread_is_a_spread() -> None:
    explicit = 5.0 + np.array([0.0, 1e-6, 2e-6])
    assert scale_of(explicit, explicit).sigma_r == pytest.approx(np.sqrt(2 / 3) * 1e-6, rel=1e-4)


def test_without_an_implicit_term_its_spread_is_not_needed() -> None:
    explicit, hidden = np.array([1.0, 3.0, 8.0]), np.zeros(3)
    scale = scale_of(explicit, hidden)
    scores = score_pairs("map", explicit, hidden, ["a", "b", "c"], alpha=0.0, scale=scale)
    assert scores == pytest.approx(explicit / scale.sigma_r)


@pytest.mark.parametrize("metric", ["eva", "implicit", "uniform"])
def test_metrics_without_a_scale_need_no_spread(metric: str) -> None:
    scores = score_pairs(metric, np.ones(1), np.ones(1), ["a"], alpha=1.0, scale=scale_of(np.ones(1), np.ones(1)))
    assert scores.shape == (1,)


def test_one_pair_has_no_deviation() -> None:
    with pytest.raises(UserError, match=r"at least 2 pairs .* has 1"):
        score_pairs("map", np.ones(1), np.ones(1), ["a"], alpha=1.0, scale=UNIT)


def test_an_unknown_metric_is_told_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'eve'.*map, eva, implicit, uniform"):
        score_pairs("eve", np.ones(2), np.ones(2), ["a", "b"], alpha=1.0, scale=UNIT)
