"""How selections differ from each other, and from selections drawn at random: figures of arrays, each a number.

A selection is an array of the indices of its pairs; `control` is what random selections of the same size have, of which
every figure that is told of a selection has one. A figure of a set that says nothing (empty, no spread) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from generation.engine import seed_from

FEWEST_DRAWS = 20  # of random selections: fewer say little about the edges of an interval
LEVEL = 0.95
ROUNDING = 1e-9  # a figure that is the same in every draw differs from itself by rounding alone


class Interval(NamedTuple):
    """What random selections have: their mean, and the bounds between which LEVEL of further ones are expected."""

    mean: float
    low: float
    high: float


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """|A and B| / |A or B| of two sets of ids, each id once: 1 for equal sets, 0 for disjoint ones.

    Source: Jaccard 1912.
    """
    shared = len(np.intersect1d(one, other, assume_unique=True))
    union = len(one) + len(other) - shared
    return shared / union if union else math.nan


def average_ranks(scores: np.ndarray) -> np.ndarray:
    """The rank of each score (n,), 1 for the smallest; equal scores share the mean of their ranks."""
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: np.ndarray = (ends - (counts - 1) / 2)[which]
    return ranks


def standardized(values: np.ndarray) -> np.ndarray:
    """`values` (..., n) less their mean, divided by the root of the sum of their squares: the product of two such is
    their correlation. NaN where all are the same.
    """
    centred = values - values.mean(axis=-1, keepdims=True) if values.shape[-1] else values
    length = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = centred / np.where(length > 0, length, np.nan)
    return result


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rho of two metrics' scores of the same pairs (n,): 1 for the same order, -1 for the reverse.

    Ties have average ranks. Source: Spearman 1904.
    """
    if len(one) < 2:
        return math.nan
    return float(standardized(average_ranks(one)) @ standardized(average_ranks(other)))


def length_reward_correlation(token_gap: np.ndarray, reward_gap: np.ndarray) -> float:
    """Correlation of length and reward within pairs, from |y_w| - |y_l| and r_w - r_l (pairs,).

    That of the 2n responses after the mean of each pair was taken off both, so that prompts which ask for long answers
    do not count (as `selection.lengths.length_slope` does): sum(dl dr) / sqrt(sum dl^2 sum dr^2). 1: the longer one
    always wins, by as much more as it is longer.
    """
    scale = math.sqrt(float(token_gap @ token_gap) * float(reward_gap @ reward_gap)) if len(token_gap) else 0.0
    return float(token_gap @ reward_gap) / scale if scale > 0 else math.nan


def disagrees(reward_gap: np.ndarray, implicit_gap: np.ndarray) -> np.ndarray:
    """Of which pairs policy and reward model disagree in sign, 0 or 1, (pairs,): (r_w - r_l)(h_w - h_l) < 0, NaN where
    a gap is. M_+ adds the two gaps of these, so it takes them first; where the reward model errs they are its noise.

    Source: the paper, Section 3, on M_+ (Eq. 10) against M_AP.
    """
    product = np.sign(reward_gap) * np.sign(implicit_gap)
    return np.where(np.isnan(product), np.nan, product < 0)


def n_distinct(groups: np.ndarray) -> int:
    """How many different parents (int codes) the prompts of a selection have."""
    return len(np.unique(groups))


def draws(ids: np.ndarray, k: int, count: int, seed: int) -> list[np.ndarray]:
    """`count` random selections of `k` of the pairs `ids` (n,), as indices, without replacement.

    Each is decided by the seed, its number and the ids, whatever order these are in.
    """
    by_id = np.argsort(ids, kind="stable")
    found = []
    for number in range(count):
        rng = np.random.default_rng(seed_from(seed, "random selection", number))
        found.append(by_id[rng.choice(len(ids), size=k, replace=False)])
    return found


def control(values: Iterable[float]) -> Interval | None:
    """What random selections have in a figure: mean m of the n draws, and m -+ t s sqrt(1 + 1/n), s their deviation.

    The bounds are those between which one more random selection falls with a chance of LEVEL (a prediction interval of
    the normal distribution), so a figure beyond them is none that chance explains. None for fewer than two numbers.
    """
    known = np.array([value for value in values if math.isfinite(value)])
    n = len(known)
    if n < 2:
        return None
    middle = float(known.mean())
    width = student_quantile((1 + LEVEL) / 2, n - 1) * float(known.std(ddof=1)) * math.sqrt(1 + 1 / n)
    return Interval(middle, middle - width, middle + width)


def standing(value: float, interval: Interval | None) -> int | None:
    """1 for a figure above what random selections have, -1 below, 0 within; None where one of them says nothing."""
    if interval is None or not math.isfinite(value):
        return None
    slack = ROUNDING * max(abs(value), abs(interval.low), abs(interval.high))
    return int(value > interval.high + slack) - int(value < interval.low - slack)


def student_quantile(p: float, degrees: int) -> float:
    """The p-quantile of Student's t: the expansion in 1 / degrees, good to 5 digits from 10 degrees on.

    Source: Abramowitz and Stegun, 26.7.5.
    """
    z = NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / degrees**power for power, term in enumerate(terms)))
