"""What a metric needs, and the sets of pairs on which it says nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metric_inputs import PAIRS, by, drawn, known
from prompts.errors import UserError
from selection import INPUTS, METRICS, metric_of, scale_of, score


@pytest.mark.parametrize("name", METRICS)
def test_an_input_that_is_missing_is_named_with_how_to_get_it(name: str) -> None:
    metric = metric_of(name)
    for missing in metric.inputs:
        if not INPUTS[missing].advice:
            continue
        left = {key: value for key, value in PAIRS.items() if key != missing}
        with pytest.raises(UserError, match=rf"'{name}' needs {missing} \(.*\), which is missing: ") as error:
            score(metric, left)
        assert INPUTS[missing].advice in str(error.value)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_named_where_the_metric_needs_it(name: str, value: float) -> None:
    for spoilt in ("score_chosen", "implicit_rejected", "logp_chosen", "ref_logp_chosen"):
        there = known(*drawn(10, seed=6))
        there[spoilt] = there[spoilt].copy()
        there[spoilt][[2, 7, 8]] = value
        if spoilt in metric_of(name).inputs:
            with pytest.raises(UserError, match=rf"3 of 10 pairs have a {spoilt} that is not a finite number"):
                score(metric_of(name), there)
        else:
            assert np.isfinite(score(metric_of(name), there)).all()


@pytest.mark.parametrize("name", ["map", "map-signed"])
@pytest.mark.parametrize(
    ("flat", "named"), [((0,), "sigma_r of"), ((1,), "sigma_pi of"), ((0, 1), "sigma_r and sigma_pi")]
)
def test_no_spread_is_named(flat: tuple[int, ...], named: str, name: str) -> None:
    margins = list(drawn(10, seed=7))
    for i in flat:
        margins[i] = np.full(10, 0.5)
    with pytest.raises(UserError, match=rf"{named} .*10 pairs is 0"):
        by(name, *margins)


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_no_spread_but_for_rounding_is_none(n: int) -> None:
    """0.1 is no binary fraction: the mean of equal margins differs from them in the last bit, and so does no pair."""
    explicit, hidden = np.full(n, 0.1), np.linspace(0.0, 1.0, n)
    assert scale_of(explicit, hidden).sigma_r == 0
    with pytest.raises(UserError, match="sigma_r"):
        by("map", explicit, hidden)


def test_a_small_spread_is_a_spread() -> None:
    explicit = 5.0 + np.array([0.0, 1e-6, 2e-6])
    assert scale_of(explicit, explicit).sigma_r == pytest.approx(np.sqrt(2 / 3) * 1e-6, rel=1e-4)


def test_without_an_implicit_term_its_spread_is_not_needed() -> None:
    explicit = np.array([1.0, 3.0, 8.0])
    scores = by("map", explicit, np.zeros(3), alpha=0.0)
    assert scores == pytest.approx(explicit / np.std(explicit))


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"map", "map-signed"}))
def test_metrics_without_a_scale_need_no_spread(name: str) -> None:
    assert by(name, np.ones(1), np.ones(1)).shape == (1,)


def test_one_pair_has_no_deviation() -> None:
    with pytest.raises(UserError, match=r"at least 2 pairs .* has 1"):
        by("map", np.ones(1), np.ones(1))


def test_an_unknown_metric_is_told_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'eve'.*map, eva, implicit, uniform.*my_module:my_metric"):
        metric_of("eve")


def test_parameters_are_the_metrics_own() -> None:
    scores = score(metric_of("pvar"), PAIRS, {"temperature": 2.0})
    assert scores[1] == pytest.approx((1 / (1 + math.exp(-0.25)) - 0.5) ** 2)
    with pytest.raises(UserError, match=r"pvar has no temprature\. Its parameters: temperature"):
        score(metric_of("pvar"), PAIRS, {"temprature": 2.0})
