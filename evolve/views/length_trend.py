"""Rewards without what the length of a response alone explains, before pairs are made: a view of the pool's rewards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from evolve.pool.ids import id_array
from evolve.views.responses import Responses
from selection.lengths import length_slope


def without_length_trend(responses: Responses, reference: Collection[str]) -> tuple[Responses, float]:
    """The responses with `slope` * tokens taken off each reward, and that slope, reward a token.

    It is taken over the responses to the prompts `reference` (X), within prompts, so that D and D' are on one scale and
    a reward does not depend on what else was evolved.
    """
    group = np.full(len(responses.scores), -1, dtype=np.int64)
    starts, counts = responses.spans.find(id_array(sorted(reference)))
    for number, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True)):
        group[start : start + count] = number
    of_x = group >= 0
    slope = length_slope(responses.scores[of_x], responses.n_tokens[of_x], group[of_x])
    return replace(responses, scores=responses.scores - slope * responses.n_tokens), slope
