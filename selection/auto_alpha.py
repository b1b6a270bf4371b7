"""alpha = "auto": how much weight the implicit margin can bear on a given set. docs/metrics.md derives the rule.

The largest alpha of a grid whose selection holds two conditions. It must be about as reproducible as that of any other
alpha of the grid, when one of the n responses of each prompt had not been sampled; and it must not prefer pairs that
the reward model barely tells apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID = tuple(float(x) for x in np.round(np.geomspace(0.1, 10.0, 41), 3))
LOSS = 0.05  # of the overlap with the selection that n - 1 responses give, over what chance gives
WEAK = 0.10  # the tenth of the set with the smallest explicit margins


@dataclass(frozen=True)
class Trace:
    """Of each alpha of the grid (alphas,): how reproducible its selection is, from 0 (chance) to 1, and the share of
    weak pairs in it.
    """

    alphas: np.ndarray
    stability: np.ndarray
    weak: np.ndarray

    @property
    def alpha(self) -> float:
        """The largest that holds both conditions; the smallest of the grid where none does."""
        holds = (self.stability >= self.stability.max() - LOSS) & (self.weak <= max(WEAK, self.weak.min()))
        return float(self.alphas[np.flatnonzero(holds)[-1]]) if holds.any() else float(self.alphas[0])


def trace(
    explicit: np.ndarray, implicit: np.ndarray, left_out: Sequence[tuple[np.ndarray, np.ndarray]], k: int
) -> Trace:
    """Try the grid on margins (pairs,), and on those of the pairs that are left when a response is (one entry of
    `left_out` for each response of a prompt). Margins are absolute, in any unit.
    """
    n, chance = len(explicit), k / len(explicit)
    bound = np.quantile(explicit, WEAK)
    stability, weak = [], []
    for alpha in GRID:
        best = _best(explicit, implicit, alpha, k)
        again = [int((best & _best(*margins, alpha, k)).sum()) / k for margins in left_out]
        stability.append((float(np.mean(again)) - chance) / (1 - chance) if k < n else 1.0)
        weak.append(float(np.mean(explicit[best] < bound)))
    return Trace(np.array(GRID), np.array(stability), np.array(weak))


def _best(explicit: np.ndarray, implicit: np.ndarray, alpha: float, k: int) -> np.ndarray:
    """Which are the k best by M_AP, bool (pairs,), each set by its own sigma."""
    scores = explicit / np.std(explicit) - alpha / np.std(implicit) * implicit
    best = np.zeros(len(scores), dtype=bool)
    best[np.argpartition(-scores, k - 1)[:k]] = True
    return best


def without_one(
    scores: np.ndarray, implicit: np.ndarray, usable: np.ndarray, left_out: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins of best against worst without the response `left_out` of each prompt, both (pairs,), and where there is a
    pair still. `scores` and `implicit` rewards (pairs, n) of all responses; `usable` bool (pairs, n).
    """
    among = usable & (np.arange(scores.shape[1]) != left_out)
    rows = np.arange(len(scores))
    best = np.argmax(np.where(among, scores, -np.inf), axis=1)
    worst = np.argmin(np.where(among, scores, np.inf), axis=1)
    explicit = np.abs(scores[rows, best] - scores[rows, worst])
    return explicit, np.abs(implicit[rows, best] - implicit[rows, worst]), among.sum(axis=1) >= 2
