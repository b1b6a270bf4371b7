"""Metrics of a preference pair. Each ranks: larger is better. Arrays in, arrays out.

r is the explicit reward, r_hat the implicit one in SimPO's form, log pi(y|x) / |y| (the paper uses no reference model).
Source: Huang et al., "Larger or Smaller Reward Margins to Select Preferences for Alignment?", ICML 2025.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompts.errors import UserError

METRICS = ("map", "eva", "implicit", "uniform")
ROUNDING = 1e-12  # equal margins may differ from their own mean by some units in the last place (2e-16)


@dataclass(frozen=True)
class Scale:
    """sigma_r and sigma_pi: standard deviations (population) of both margins over the set that is ranked (D.1)."""

    sigma_r: float
    sigma_pi: float


def scale_of(explicit: np.ndarray, implicit: np.ndarray) -> Scale:
    """Standard deviations of M_r and M_pi over the ranked set, both arrays of shape (pairs,)."""
    return Scale(_deviation(explicit), _deviation(implicit))


def eva(explicit: np.ndarray) -> np.ndarray:
    """M_r = |r_w - r_l|, eva's informativeness (Ye et al. 2024; here Section 2)."""
    return np.abs(explicit)


def implicit(implicit_margin: np.ndarray) -> np.ndarray:
    """-M_pi = -|r_hat_w - r_hat_l|: the policy is least decided about the pair (Section 2)."""
    return -np.abs(implicit_margin)


def alignment_potential(explicit: np.ndarray, implicit_margin: np.ndarray, scale: Scale, alpha: float) -> np.ndarray:
    """M_AP = |r_w - r_l| / sigma_r - alpha / sigma_pi * |r_hat_w - r_hat_l| (Eq. 11, scaled as in Appendix D.1).

    With alpha = 0 the implicit term is absent, so sigma_pi may then be 0.
    """
    potential = np.abs(explicit) / scale.sigma_r
    return potential - alpha / scale.sigma_pi * np.abs(implicit_margin) if alpha else potential


def uniform(pair_ids: Sequence[str], seed: int) -> np.ndarray:
    """The random baseline: a number in [0, 1) from the seed and the pair's id, so it does not depend on the order."""
    return np.array([_unit(f"{seed}\x1f{pair_id}") for pair_id in pair_ids], dtype=np.float64)


def score_pairs(
    metric: str,
    explicit: np.ndarray,
    implicit_margin: np.ndarray,
    pair_ids: Sequence[str],
    *,
    alpha: float,
    scale: Scale,
    seed: int = 0,
) -> np.ndarray:
    """Score pairs by the metric's name, shape (pairs,). Raises `UserError` where it says nothing about this set."""
    _check(metric, explicit, implicit_margin, alpha, scale)
    if metric == "map":
        return alignment_potential(explicit, implicit_margin, scale, alpha)
    if metric == "eva":
        return eva(explicit)
    if metric == "implicit":
        return implicit(implicit_margin)
    return uniform(pair_ids, seed)


def _check(metric: str, explicit: np.ndarray, implicit_margin: np.ndarray, alpha: float, scale: Scale) -> None:
    if metric not in METRICS:
        raise UserError(f"No metric {metric!r}: expected one of {', '.join(METRICS)}.")
    for name, values in (("explicit", explicit), ("implicit", implicit_margin)):
        if bad := int(np.count_nonzero(~np.isfinite(values))):
            raise UserError(
                f"{bad} of {len(values)} pairs have an {name} margin that is not a finite number. "
                "Scores and log-probabilities must be finite: look for a broken reward model or policy."
            )
    if metric != "map" or not len(explicit):
        return
    if len(explicit) < 2:
        raise UserError(
            "M_AP needs at least 2 pairs to take deviations of; this set has 1. Add prompts, or use METRIC=eva."
        )
    flat = [name for name, sigma in (("sigma_r", scale.sigma_r), ("sigma_pi", scale.sigma_pi)) if sigma == 0]
    if "sigma_r" in flat or ("sigma_pi" in flat and alpha > 0):
        raise UserError(
            f"{' and '.join(flat)} of {len(explicit)} pairs is 0: all have the same margin, so M_AP can't be scaled. "
            "Check that the reward model tells responses apart, or rank by METRIC=eva or METRIC=implicit."
        )


def _deviation(margins: np.ndarray) -> float:
    """The standard deviation, exactly 0 where the margins differ by no more than rounding; NaN of no margins."""
    if not len(margins):
        return float("nan")
    deviation = float(np.std(margins))
    return 0.0 if deviation <= ROUNDING * float(np.max(np.abs(margins))) else deviation


def _unit(name: str) -> float:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()[:7], "big") / 2**56
