"""How many of a ranked set are selected, and in which order they stand."""

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


def ranked(scores: np.ndarray, pair_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Indices of all `scores` (pairs,), best first; ties go by pair id, never by the input's order."""
    return best_first(scores, len(scores), lambda at: np.array([pair_ids[i] for i in at]))


def top_k(scores: np.ndarray, pair_ids: Sequence[str], k: int | str) -> np.ndarray:
    """Indices of the k largest `scores`, best first."""
    count = count_of(k, len(scores))
    return best_first(scores, count, lambda at: np.array([pair_ids[i] for i in at.tolist()], dtype=np.str_))


def at_least(scores: np.ndarray, order: np.ndarray, threshold: float) -> np.ndarray:
    """Of the indices `order` those whose score is `threshold` or more, in that order."""
    return order[scores[order] >= threshold]


def capped(order: np.ndarray, caps: Sequence[tuple[Sequence[str], int | None]]) -> tuple[np.ndarray, list[int]]:
    """Of the indices `order`, best first, those that stay when no group has more members than its cap.

    `caps` are pairs of the group of each index and the most of a group, None for no bound: one walk from the best down
    takes what no cap forbids. Returns what stays, and how many each cap turned away (the first that forbids counts).
    """
    caps = [(groups, most) for groups, most in caps if most is not None]
    if not caps:
        return order, []
    seen: list[dict[str, int]] = [{} for _ in caps]
    turned_away, stay = [0] * len(caps), []
    for i in order.tolist():
        for at, (groups, most) in enumerate(caps):
            if seen[at].get(groups[i], 0) >= most:  # type: ignore[operator]
                turned_away[at] += 1
                break
        else:
            stay.append(i)
            for at, (groups, _) in enumerate(caps):
                seen[at][groups[i]] = seen[at].get(groups[i], 0) + 1
    return np.array(stay, dtype=np.int64), turned_away
