"""sigma_r and sigma_pi: what the two margins of a pair are divided by, so that their units do not decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-12  # equal margins may differ from their own mean by some units in the last place (2e-16)


@dataclass(frozen=True)
class Scale:
    """sigma_r and sigma_pi: standard deviations (population) of both margins over the set that is ranked (D.1)."""

    sigma_r: float
    sigma_pi: float


def scale_of(explicit: np.ndarray, implicit: np.ndarray) -> Scale:
    """Standard deviations of M_r and M_pi over the ranked set, both arrays of shape (pairs,)."""
    return Scale(_deviation(explicit), _deviation(implicit))


def _deviation(margins: np.ndarray) -> float:
    """The standard deviation, exactly 0 where the margins differ by no more than rounding; NaN of no margins."""
    if not len(margins):
        return float("nan")
    deviation = float(np.std(margins))
    return 0.0 if deviation <= ROUNDING * float(np.max(np.abs(margins))) else deviation
