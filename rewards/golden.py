"""Whether a loaded reward model is the released one: its scores against the figures that its authors published.

For whoever has the weights: `evolve check RECIPE --golden`. A figure off by more than machines differ means another
checkpoint, or a fault in how it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prompts.errors import UserError
from rewards.protocol import Group, RewardModel, Score

Figures = list[tuple[str, float, float]]  # what, as published, as found

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


@dataclass(frozen=True)
class Card:
    """Scores that a model card gives for the responses of a group; `tolerance` is how far machines may differ."""

    group: Group
    scores: tuple[float, ...]
    tolerance: float
    source: str


APPLES = Group(
    [
        {
            "role": "user",
            "content": "Jane has 12 apples. She gives 4 apples to her friend Mark, then buys 1 more apple, and finally "
            "splits all her apples equally among herself and her 2 siblings. How many apples does each person get?",
        }
    ],
    [
        "1. Jane starts with 12 apples and gives 4 to Mark. 12 - 4 = 8. Jane now has 8 apples.\n"
        "2. Jane buys 1 more apple. 8 + 1 = 9. Jane now has 9 apples.\n"
        "3. Jane splits the 9 apples equally among herself and her 2 siblings (3 people in total). 9 \u00f7 3 = 3 "
        "apples each. Each person gets 3 apples.",
        "1. Jane starts with 12 apples and gives 4 to Mark. 12 - 4 = 8. Jane now has 8 apples.\n"
        "2. Jane buys 1 more apple. 8 + 1 = 9. Jane now has 9 apples.\n"
        "3. Jane splits the 9 apples equally among her 2 siblings (2 people in total). 9 \u00f7 2 = 4.5 apples each. "
        "Each person gets 4 apples.",
    ],
)
# By the last part of a model's name. In bfloat16 scores near 23 lie 0.125 apart; the authors' second way to run the
# model, SGLang, gives 23.125 and 3.578125.
CARDS = {
    "Skywork-Reward-V2-Llama-3.1-8B": Card(
        APPLES, (23.0, 3.59375), 0.3, "README of SkyworkAI/Skywork-Reward-V2 at 4f380f4, in bfloat16"
    ),
}


def golden_check(model: RewardModel) -> Figures:
    """Compare a released model with its card: (what, expected, found) of each figure.

    ArmoRM-Llama3-8B-v0.1 is known by its heads, the models of CARDS by the last part of their names. Raises UserError
    if a figure is off by more than machines differ, or if the model is another one.
    """
    heads: Any = getattr(model, "heads", None)
    if (
        heads is not None
        and not hasattr(heads, "n_quantiles")
        and set(GOLDEN_COEFFICIENTS) <= set(model.objective_names)
    ):
        score = model.score([GOLDEN_GROUP])[0][0]
        matrix = heads.reward_transform_matrix.detach().float().cpu().numpy()
        return compare_with_card(model.objective_names, score, matrix)
    card = CARDS.get(model.name.partition("@")[0].rstrip("/").rpartition("/")[2])
    if card is None:
        raise UserError(
            f"golden check: there are published figures for ArmoRM-Llama3-8B-v0.1 and {', '.join(CARDS)} only, not for "
            f"{model.name}. A folder has to have the model's name."
        )
    return compare_scores(card, model.score([card.group])[0])


def compare_scores(card: Card, scores: Sequence[Score]) -> Figures:
    """The card's scores beside those of its group. Raises UserError where one is off."""
    found = [
        (f"score of response {n}", a, b.score) for n, (a, b) in enumerate(zip(card.scores, scores, strict=True), 1)
    ]
    off = [
        f"{what}: {score.error or f'{got:.4f}'}, published are {expected:.4f}"
        for (what, expected, got), score in zip(found, scores, strict=True)
        if score.error or not abs(got - expected) <= card.tolerance
    ]
    if off:
        raise UserError(
            f"golden check: this is not the released model, or it is not computed rightly. {'; '.join(off)} "
            f"({card.source})."
        )
    return found


def compare_with_card(names: Sequence[str], score: Score, matrix: np.ndarray) -> Figures:
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
