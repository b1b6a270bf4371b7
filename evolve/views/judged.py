"""What a judge says of pairs: which it prefers, in both orders of reading."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from evolve.pool.ids import text_of
from evolve.pool.pool import Pool
from selection.agreement import verdicts

SAYS = {"first": 1.0, "second": -1.0, "tie": 0.0}


@dataclass(frozen=True)
class Judged:
    """`chosen_first` and `rejected_first`: 1 where the judge prefers the response that it read first, -1 the second, 0
    a tie, NaN where it has said nothing, (pairs,). `errors`: why not, by reason.
    """

    chosen_first: np.ndarray
    rejected_first: np.ndarray
    errors: Counter[str]

    @property
    def both(self) -> np.ndarray:
        """Whether a pair has a verdict in both orders, bool (pairs,)."""
        return ~(np.isnan(self.chosen_first) | np.isnan(self.rejected_first))

    @property
    def said(self) -> np.ndarray:
        """`selection.agreement.verdicts` of the pairs that have both, int (pairs with both,)."""
        return verdicts(self.chosen_first[self.both], self.rejected_first[self.both])


def judged(pool: Pool, judge_id: str, rows: np.ndarray) -> Judged:
    """What the judge says of the pairs `rows` (chosen_id, rejected_id)."""
    said: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for part in pool.judgements(judge_id).scan(["first_id", "second_id", "verdict", "error"]):
        columns = (part[name].to_pylist() for name in ("first_id", "second_id", "verdict", "error"))
        said.update(((first, second), (verdict, error)) for first, second, verdict, error in zip(*columns, strict=True))
    orders = list(zip(text_of(rows["chosen_id"]), text_of(rows["rejected_id"]), strict=True))
    nothing = (None, None)
    chosen_first = [said.get(order, nothing) for order in orders]
    rejected_first = [said.get(order[::-1], nothing) for order in orders]
    errors = Counter(error for _, error in (*chosen_first, *rejected_first) if error)
    return Judged(_numbers(chosen_first), _numbers(rejected_first), errors)


def _numbers(found: list[tuple[str | None, str | None]]) -> np.ndarray:
    return np.array([SAYS.get(verdict or "", np.nan) for verdict, _ in found], float)
