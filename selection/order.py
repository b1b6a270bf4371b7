"""The best of a ranked set, in order, without sorting the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def best_first(scores: np.ndarray, k: int, ids_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Indices of the k largest of `scores` (n,), best first; of equal scores the smaller id comes first.

    `ids_of` gives the ids at some indices; it is asked only for those whose score another one has. The k best are found
    by a partition, so only they are sorted.
    """
    n = len(scores)
    if not k:
        return np.empty(0, np.int64)
    among = np.arange(n)
    if k < n:
        threshold = np.partition(scores, n - k)[n - k]
        among, tied = np.flatnonzero(scores > threshold), np.flatnonzero(scores == threshold)
        if len(among) + len(tied) > k:
            tied = tied[np.argsort(ids_of(tied), kind="stable")][: k - len(among)]
        among = np.concatenate([among, tied])
    order = among[np.argsort(-scores[among], kind="stable")]
    new = np.append(True, scores[order[1:]] != scores[order[:-1]])[: len(order)]
    at = np.flatnonzero(~new | np.append(~new[1:], False)[: len(order)])  # those whose score another one has
    if len(at):
        order[at] = order[at][np.lexsort((ids_of(order[at]), np.cumsum(new)[at]))]
    return order
