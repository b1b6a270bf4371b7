"""eva's way to select: a draw without replacement, with a chance in proportion to the score.

As in its authors' code (ZIYU-DEEP/eva @d605e6f): the min-max-scaled score is the chance; a stratified draw takes the
same share of each tenth of the scores; an inverse-frequency draw mixes in a share c of one over the frequency of the
group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selection.metrics.pair import unit


def chances(scores: np.ndarray) -> np.ndarray:
    """Each pair's chance in one draw, (pairs,), summing to 1: (score - min) / (max - min), scaled. Equal scores are
    equal chances.
    """
    if not len(scores):
        return np.empty(0)
    spread = scores.max() - scores.min()
    scaled = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    chance: np.ndarray = scaled / scaled.sum()
    return chance


def with_inverse_frequency(chance: np.ndarray, groups: Sequence[str], c: float) -> np.ndarray:
    """p' = (1 - c) p + c q, q in proportion to 1 / frequency of the pair's group: rare groups gain."""
    _, group, frequency = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True, return_counts=True)
    inverse = 1.0 / frequency[group]
    mixed: np.ndarray = (1 - c) * chance + c * inverse / inverse.sum()
    return mixed


def draw(chance: np.ndarray, pair_ids: Sequence[str], k: int, seed: int) -> np.ndarray:
    """Indices of `k` pairs drawn one after the other without replacement, each by its share of the chances that are
    left.

    Each pair gets an exponential waiting time with its chance for a rate; the k that are due first have exactly that
    distribution (Efraimidis and Spirakis 2006). The time comes from the seed and the pair's id, so the draw does not
    depend on the order of the set. Pairs without a chance come last, by their ids.
    """
    drawn = np.array([unit(f"{seed}\x1fdraw\x1f{pair_id}") for pair_id in pair_ids])
    with np.errstate(divide="ignore", invalid="ignore"):
        due = np.where(chance > 0, -np.log1p(-drawn) / chance, np.inf)
    return np.lexsort((np.asarray(pair_ids, dtype=np.str_), due))[:k]


def draw_by_stratum(
    scores: np.ndarray, chance: np.ndarray, pair_ids: Sequence[str], k: int, seed: int, strata: int
) -> np.ndarray:
    """As `draw`, the same share of each of `strata` groups of equal size by score (deciles for 10); k in all.

    The groups are cut where the scores' ranks are, ties by id. Where k is no multiple, the better groups get one more.
    """
    ids = np.asarray(pair_ids, dtype=np.str_)
    groups = np.array_split(np.lexsort((ids, -scores)), min(strata, max(len(scores), 1)))
    quotas = [k * len(group) // max(len(scores), 1) for group in groups]
    for at in range(k - sum(quotas)):
        quotas[at] += 1
    taken = [
        group[draw(chance[group], ids[group].tolist(), quota, seed)]
        for group, quota in zip(groups, quotas, strict=True)
    ]
    return np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)
