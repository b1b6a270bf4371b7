"""The pair rules on the responses of one prompt, written down by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from selection.pairs import Candidates
from selection.pairs import pair as pairs


def candidates(
    scores: list[float], *, tokens: list[int] | None = None, cut: str = "", texts: str = "", blank: str = ""
) -> Candidates:
    """One letter a response: `texts` names its text; in `cut` and `blank` an "x" marks a response."""
    n = len(scores)
    return Candidates(
        scores=np.array([scores], dtype=float),
        n_tokens=np.array([tokens or [10] * n], dtype=np.int32),
        finished=np.array([[mark != "x" for mark in cut.ljust(n)]], dtype=bool),
        text_keys=np.array([list(texts or "abcdefghijklmnopqrstuvwxyz"[:n])], dtype=np.str_),
        blank=np.array([[mark == "x" for mark in blank.ljust(n)]], dtype=bool),
    )


def pair(rule: str, group: Candidates, *, prompt_id: str, **how: Any) -> tuple[int, int] | str:
    """The pair of one prompt, or why it has none."""
    picks = pairs(rule, group, prompt_ids=[prompt_id], **how)
    assert (picks.chosen[0] < 0) == (picks.rejected[0] < 0) == bool(picks.reasons[0])
    return str(picks.reasons[0]) or (int(picks.chosen[0]), int(picks.rejected[0]))
