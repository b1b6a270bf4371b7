"""Metrics of a prompt by the rewards of all its n responses: they rank the pair of that prompt, larger is better.

Arrays of shape (pairs, n), NaN where a response has no score; out come arrays (pairs,). eva's own are as its authors'
code has them (ZIYU-DEEP/eva @d605e6f; Ye et al. 2024, 2411.00062).
"""

from __future__ import annotations

import numpy as np

from selection.metrics.pair import sigmoid


def gap(scores: np.ndarray) -> np.ndarray:
    """max r - min r, of all responses that have a score, whichever of them became the pair. Source: eva."""
    return np.nanmax(scores, axis=1) - np.nanmin(scores, axis=1)


def maxmean(scores: np.ndarray) -> np.ndarray:
    """max r - mean r: how far the best is above what the policy does on average. Source: eva."""
    return np.nanmax(scores, axis=1) - np.nanmean(scores, axis=1)


def var(scores: np.ndarray) -> np.ndarray:
    """The (population) variance of r. Source: eva."""
    return np.nanvar(scores, axis=1)


def dts(scores: np.ndarray) -> np.ndarray:
    """r(1) - r(2), the best and the second best (dueling Thompson sampling's pair). Source: eva."""
    ordered = np.sort(np.where(np.isnan(scores), -np.inf, scores), axis=1)
    return ordered[:, -1] - ordered[:, -2]


def mean(scores: np.ndarray) -> np.ndarray:
    """mean r: the prompts that the policy answers best. Source: eva."""
    return np.nanmean(scores, axis=1)


def mean_inv(scores: np.ndarray) -> np.ndarray:
    """-mean r: the prompts where the policy is weak. Source: eva, whose code turns the mean round."""
    return -np.nanmean(scores, axis=1)


def pvar(scores: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """mean over i != j of (sigmoid((r_i - r_j) / t) - 1/2)^2: variance of who wins. Source: PVar (2510.13022).

    About var / (8 t^2) where rewards differ by little, at most 1/4: t has the unit of the rewards.
    """
    total, n = np.zeros(len(scores)), np.zeros(len(scores))
    for i, j in np.argwhere(~np.eye(scores.shape[1], dtype=bool)):
        won = (sigmoid((scores[:, i] - scores[:, j]) / temperature) - 0.5) ** 2
        total, n = total + np.nan_to_num(won), n + ~np.isnan(won)
    return total / np.maximum(n, 1)


def delta_ucb(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """max over i != j of u_i - l_j: the largest margin that the bounds allow. Source: DeltaUCB (2603.09692)."""
    best = np.full(len(lower), -np.inf)
    for i, j in np.argwhere(~np.eye(lower.shape[1], dtype=bool)):
        best = np.fmax(best, upper[:, i] - lower[:, j])
    return best
