"""What became of a rewrite, as its row in the pool says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prompts.reasons import KEPT

TOO_LONG_FOR_REWARD = "too_long_for_reward"
LOST_CONTENT = "lost_content"
MAYBE_KEPT = (KEPT, TOO_LONG_FOR_REWARD)  # the verdicts with which a rewrite may be in X'


def accepted(row: dict[str, Any], reward_limit: int | None, min_content: float = 0.0) -> bool:
    """Whether a rewrite's row passes under the present bounds (see `present_verdict`)."""
    return present_verdict(row, reward_limit, min_content) == KEPT


def present_verdict(row: dict[str, Any], reward_limit: int | None, min_content: float) -> str:
    """KEPT, or why a rewrite is not in X'.

    Its row has the verdict of what never changes, and the measures of what is held against a bound: so a changed bound
    needs no policy. A rewrite that was turned down for a reward model with less room than the present one is taken; one
    that keeps less than `min_content` of its parent's content is not. Where nothing was measured (breadth, strategies
    of one's own, rows of before) nothing is lost.
    """
    verdict = str(row["verdict"])
    if verdict == TOO_LONG_FOR_REWARD and (reward_limit is None or reward_limit > row["reward_limit"]):
        verdict = KEPT
    measured = row.get("content_kept")
    if verdict == KEPT and measured is not None and measured < min_content:
        return LOST_CONTENT
    return verdict


def present_verdicts(rows: pa.Table, reward_limit: int | None, min_content: float) -> np.ndarray:
    """`present_verdict` of many rows, with the columns verdict, reward_limit and content_kept: str objects (n,)."""
    told = rows["verdict"].combine_chunks().dictionary_encode()  # a text for each verdict, not for each row
    verdicts = np.array(told.dictionary.to_pylist(), object)[told.indices.to_numpy()]
    limits = (
        pc.less(rows["reward_limit"], reward_limit).fill_null(False).to_numpy() if reward_limit is not None else True
    )
    verdicts[(verdicts == TOO_LONG_FOR_REWARD) & limits] = KEPT
    lost = pc.less(rows["content_kept"], min_content).fill_null(False).to_numpy()
    verdicts[(verdicts == KEPT) & lost] = LOST_CONTENT
    return verdicts
