"""The k best of a ranked set."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from prompts.errors import UserError
from selection.order import best_first


def count_of(k: int | str, n: int) -> int:
    """How many pairs `k` (a number, or a percentage such as "20%") means out of `n`. A percentage rounds up.

    Raises `UserError` for a number larger than the set: silently training on fewer would spoil a comparison.
    """
    if isinstance(k, str):
        share = _share(k)
        return max(math.ceil(n * share / 100 - 1e-9), min(n, 1))
    if k < 1:
        raise UserError(f"k is {k}: expected a number of pairs from 1 on, or a percentage such as '20%'.")
    if k > n:
        raise UserError(
            f"k is {k} but the set to select from has {n} pairs. Lower K, give a percentage (K=20%), or add prompts."
        )
    return k


def _share(k: str) -> float:
    try:
        share = float(k.removesuffix("%")) if k.endswith("%") else 0.0
    except ValueError:
        share = 0.0
    if not 0 < share <= 100:
        raise UserError(f"k is {k!r}: expected a number of pairs such as 10000, or a percentage such as '20%'.")
    return share


def ranked(scores: np.ndarray, pair_ids: Sequence[str]) -> np.ndarray:
    """Indices of all `scores` (pairs,), best first; ties go by pair id, never by the input's order."""
    return best_first(scores, len(scores), lambda at: np.array([pair_ids[i] for i in at.tolist()], dtype=np.str_))


def top_k(scores: np.ndarray, pair_ids: Sequence[str], k: int | str) -> np.ndarray:
    """Indices of the k largest `scores`, best first."""
    count = count_of(k, len(scores))
    return best_first(scores, count, lambda at: np.array([pair_ids[i] for i in at.tolist()], dtype=np.str_))
