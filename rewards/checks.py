"""Whether a loaded reward model can be trusted: against itself alone and in a batch, and against published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prompts.errors import UserError
from rewards.protocol import Group, RewardModel, Score

# Share of the largest score by which two batchings may differ by rounding; in bfloat16 a few steps of 2^-8 each.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
SMALLEST = {"float32": 2e-5, "bfloat16": 1e-3}

GOLDEN_GROUP = Group(
    [{"role": "user", "content": 'What are some synonyms for the word "beautiful"?'}],
    ["Nicely, Beautifully, Handsome, Stunning, Wonderful, Gorgeous, Pretty, Stunning, Elegant"],
)
# ArmoRM-Llama3-8B-v0.1's model card: the first five rewards on the scale of the data (times 5, minus 0.5), and three of
# the coefficients that a reward has in the score, w M^T. Taken in bfloat16; machines differ by up to 0.05 in the first.
GOLDEN_REWARDS = (2.78125, 2.859375, 3.484375, 1.3847656, 1.296875)
GOLDEN_COEFFICIENTS = {
    "code-complexity": 0.19922,
    "helpsteer-verbosity": -0.10864,
    "ultrafeedback-instruction_following": 0.07861,
}
GOLDEN_TOLERANCE = {"rewards": 0.06, "coefficients": 0.01}


def trust_check(model: RewardModel, groups: Sequence[Group], *, n_groups: int = 4, n_responses: int = 3) -> float:
    """Score a few rows in one batch and alone; return the largest difference, or raise UserError if it is not rounding.

    The rows are the first responses of groups from the shortest to the longest. A pairwise model's groups are taken
    alone whole. A judge is not checked (its answers vary): the result is 0.
    """
    if model.kind == "judge" or not groups:
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


def golden_check(model: RewardModel) -> list[tuple[str, float, float]]:
    """Compare the real ArmoRM-Llama3-8B-v0.1 with its model card: (what, expected, found) of each figure.

    Raises UserError if a figure is off by more than machines differ, or if the model is another one.
    """
    heads: Any = getattr(model, "heads", None)
    if heads is None or not set(GOLDEN_COEFFICIENTS) <= set(model.objective_names):
        raise UserError(
            f"golden check: there are published figures for ArmoRM-Llama3-8B-v0.1 only, not for {model.name}."
        )
    score = model.score([GOLDEN_GROUP])[0][0]
    matrix = heads.reward_transform_matrix.detach().float().cpu().numpy()
    return compare_with_card(model.objective_names, score, matrix)


def compare_with_card(names: Sequence[str], score: Score, matrix: np.ndarray) -> list[tuple[str, float, float]]:
    """The card's figures beside those of `score`, a score of GOLDEN_GROUP; `matrix` is M (objectives, objectives)."""
    if score.error:
        raise UserError(f"golden check: the model card's example can't be scored ({score.error}).")
    coefficients = dict(zip(names, (matrix @ np.array(score.weights)).tolist(), strict=True))
    found = [
        (f"reward {name}", expected, reward * 5 - 0.5)
        for name, expected, reward in zip(names, GOLDEN_REWARDS, score.objectives, strict=False)
    ]
    found += [(f"coefficient {name}", value, coefficients[name]) for name, value in GOLDEN_COEFFICIENTS.items()]
    off = [
        f"{what}: {got:.4f}, the card says {expected:.4f}"
        for what, expected, got in found
        if abs(got - expected) > GOLDEN_TOLERANCE["rewards" if what.startswith("reward ") else "coefficients"]
    ]
    if off:
        raise UserError(
            f"golden check: this is not the released ArmoRM, or it is not computed rightly. {'; '.join(off)}."
        )
    return found
