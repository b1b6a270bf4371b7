"""Whether a loaded reward model can be trusted: against itself, alone and in a batch (rewards.golden: against figures
that its authors published).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prompts.errors import UserError
from rewards.protocol import Group, RewardModel, Score

# Share of the largest score by which two batchings may differ by rounding; in bfloat16 a few steps of 2^-8 each.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
SMALLEST = {"float32": 2e-5, "bfloat16": 1e-3}


def trust_check(model: RewardModel, groups: Sequence[Group], *, n_groups: int = 4, n_responses: int = 3) -> float:
    """Score a few rows in one batch and alone; return the largest difference, or raise UserError if it is not rounding.

    The rows are the first responses of groups from the shortest to the longest. A pairwise model's groups are taken
    alone whole. A judge is not checked (its answers vary): the result is 0.
    """
    if getattr(model, "varies", False) or not groups:
        return 0.0
    by_length = sorted(groups, key=lambda group: sum(map(len, group.responses)) + len(str(group.messages)))
    places = sorted({round(i) for i in np.linspace(0, len(by_length) - 1, n_groups)})
    few = [Group(by_length[i].messages, by_length[i].responses[:n_responses]) for i in places]
    together = [score for scores in model.score(few) for score in scores]
    if model.kind == "pairwise":
        alone = [score for group in few for score in model.score([group])[0]]
    else:
        alone = [model.score([Group(group.messages, [text])])[0][0] for group in few for text in group.responses]
    return _largest_difference(model, together, alone)


def _largest_difference(model: RewardModel, together: list[Score], alone: list[Score]) -> float:
    if [score.error for score in together] != [score.error for score in alone]:
        raise UserError(
            f"trust check: {model.name} gives other errors in a batch ({[score.error for score in together]}) than for "
            f"each row alone ({[score.error for score in alone]}). Its scores depend on the batch: do not use them."
        )
    scored = [(a.score, b.score) for a, b in zip(together, alone, strict=True) if not a.error]
    if not scored:
        return 0.0
    dtype = str(getattr(model, "dtype", "float32")).removeprefix("torch.")
    worst = max(abs(a - b) for a, b in scored)
    allowed = max(SMALLEST[dtype], TOLERANCE[dtype] * max(abs(b) for _, b in scored))
    if not worst <= allowed:
        raise UserError(
            f"trust check: scores of {model.name} differ by {worst:.2g} between a batch and each row alone, more than "
            f"the rounding of {dtype} explains ({allowed:.2g}). Try dtype float32, or another version of torch."
        )
    return worst
