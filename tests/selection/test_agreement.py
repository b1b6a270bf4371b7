"""Agreement of a judge with the reward model: worked by hand, and against published intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selection.agreement import AGREES, DISAGREES, UNDECIDED, agreement, by_margin, difference, first_place, share
from selection.agreement import verdicts as verdicts_of


def test_wilsons_interval_of_newcombes_first_example() -> None:
    """81 of 263: 0.2553 to 0.3662 (Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3)."""
    found = share(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert found.value == pytest.approx(0.3080, abs=5e-5)


def test_an_interval_holds_at_the_edges() -> None:
    assert share(0, 20).low == 0.0
    assert share(0, 20).high == pytest.approx(0.1611, abs=5e-5)  # the same table: 0 of 20
    assert share(20, 20).high == 1.0
    nothing = share(0, 0)
    assert math.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


def test_newcombes_difference() -> None:
    """56/70 - 48/80: 0.2 with 0.0524 to 0.3339 (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10)."""
    assert difference(share(56, 70), share(48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_pair_is_decided_by_both_orders() -> None:
    #                 agrees  disagrees  first twice  second twice  tie and first
    chosen_first = np.array([1, -1, 1, -1, 0])
    rejected_first = np.array([-1, 1, 1, -1, 1])
    said = verdicts_of(chosen_first, rejected_first)
    assert said.tolist() == [AGREES, DISAGREES, UNDECIDED, UNDECIDED, UNDECIDED]
    assert (agreement(said).k, agreement(said).n) == (1, 2)
    place = first_place(chosen_first, rejected_first)
    assert (place.k, place.n) == (5, 9)  # 1 + 1 + 2 + 0 + 1 of nine answers that name a response


def test_by_margin_goes_from_small_to_large() -> None:
    margins = np.array([4.0, 1.0, 3.0, 2.0])
    said = np.array([AGREES, DISAGREES, AGREES, UNDECIDED])
    low, high = by_margin(margins, said, 2)
    assert low[:2] == (1.0, 2.0)
    assert (low[2].k, low[2].n) == (0, 1)
    assert high[:2] == (3.0, 4.0)
    assert (high[2].k, high[2].n) == (2, 2)
    assert len(by_margin(margins, said, 9)) == 4
    assert by_margin(np.empty(0), np.empty(0), 4) == []
