"""How often a judge agrees with the reward model about pairs, with intervals (the paper's Figures 3 and 11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z = 1.959964  # of a two-sided 95% interval

AGREES, DISAGREES, UNDECIDED = 1, -1, 0


@dataclass(frozen=True)
class Share:
    """`k` of `n`, and the 95% interval of the share behind it."""

    k: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """k / n; NaN of nothing."""
        return self.k / self.n if self.n else float("nan")


def share(k: int, n: int) -> Share:
    """With Wilson's score interval (Wilson 1927), which holds for small n and for shares near 0 and 1. Of nothing, it
    is all of [0, 1]."""
    if n == 0:
        return Share(0, 0, 0.0, 1.0)
    p, z2 = k / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(k, n, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def difference(one: Share, other: Share) -> tuple[float, float, float]:
    """one - other with its 95% interval by Newcombe's hybrid score method (Newcombe 1998, method 10), for samples that
    are independent; where they share pairs, it is wider than need be."""
    d = one.value - other.value
    low = d - float(np.hypot(one.value - one.low, other.high - other.value))
    high = d + float(np.hypot(one.high - one.value, other.value - other.low))
    return d, low, high


def verdicts(chosen_first: np.ndarray, rejected_first: np.ndarray) -> np.ndarray:
    """What the judge says of each pair, int (pairs,): AGREES if it prefers the chosen response in both orders,
    DISAGREES if the rejected one in both, else UNDECIDED.

    The arguments are what it said with the chosen, or the rejected, response first: 1 for the first response, -1 for
    the second, 0 for a tie.
    """
    for_chosen = np.where((chosen_first == 1) & (rejected_first == -1), AGREES, UNDECIDED)
    return np.where((chosen_first == -1) & (rejected_first == 1), DISAGREES, for_chosen)


def agreement(said: np.ndarray) -> Share:
    """Of the pairs that the judge decided, the share in which it agrees with the reward model."""
    return share(int((said == AGREES).sum()), int((said != UNDECIDED).sum()))


def first_place(chosen_first: np.ndarray, rejected_first: np.ndarray) -> Share:
    """Of all answers that name a response, the share that names the one read first: 0.5 for a judge without bias of
    place, since every pair is asked in both orders."""
    said = np.concatenate([chosen_first, rejected_first])
    return share(int((said == 1).sum()), int((said != 0).sum()))


def by_margin(margins: np.ndarray, said: np.ndarray, bins: int) -> list[tuple[float, float, Share]]:
    """(least margin, largest margin, agreement) in `bins` groups of as many pairs each, by their reward margin. Pairs
    of equal margins may be parted; there are no more groups than pairs."""
    order = np.argsort(margins, kind="stable")
    groups = [group for group in np.array_split(order, min(bins, len(order)) or 1) if len(group)]
    return [(float(margins[g[0]]), float(margins[g[-1]]), agreement(said[g])) for g in groups]
