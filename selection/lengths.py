"""The length of responses taken out of a selection: bounds on a pair's difference, and rewards without their trend."""

from __future__ import annotations

import numpy as np


def too_different(
    n_chosen: np.ndarray, n_rejected: np.ndarray, most: int | None, ratio: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Two masks (pairs,): the lengths differ by more than `most` tokens (Olmo 3 caps at 100); the longer one is more
    than `ratio` times as long. None is no bound.
    """
    longer, shorter = np.maximum(n_chosen, n_rejected), np.minimum(n_chosen, n_rejected)
    never = np.zeros(len(longer), dtype=bool)
    by_tokens = never if most is None else longer - shorter > most
    by_ratio = never if ratio is None else longer > ratio * np.maximum(shorter, 1)
    return by_tokens, by_ratio


def length_slope(scores: np.ndarray, n_tokens: np.ndarray, groups: np.ndarray) -> float:
    """Reward a token, by least squares within each group (the responses of a prompt): how much longer answers score
    more.

    Both are centred by group first, so that prompts which ask for long answers do not count. `groups` int (responses,);
    a response without a score (NaN) is left out. 0 where lengths do not differ.
    """
    known = np.isfinite(scores)
    scores, lengths, groups = scores[known], n_tokens[known].astype(np.float64), groups[known]
    if not len(scores):
        return 0.0
    n = np.maximum(np.bincount(groups), 1)
    centred = [values - (np.bincount(groups, weights=values) / n)[groups] for values in (scores, lengths)]
    spread = float(np.dot(centred[1], centred[1]))
    return float(np.dot(centred[0], centred[1])) / spread if spread > 0 else 0.0
