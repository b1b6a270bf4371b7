"""The sets of an iteration: what was ranked, what was selected, and the training set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from evolve.recipe.sections import Recipe
from evolve.views.evolved import Evolved
from evolve.views.pairs import Pairs, concat
from prompts.errors import UserError
from selection import Metric, Scale


@dataclass(frozen=True)
class Ranking:
    """A ranked set: its pairs, the metric with its scores, sigma_r and sigma_pi, the alpha that counted,
    the indices of all, best first, those of the selected, best first, and why pairs are not among these.

    Of `n_in` pairs the ones in `dropped` were not ranked or not selected, by reason.
    """

    pairs: Pairs
    metric: Metric
    scores: np.ndarray
    scale: Scale
    alpha: float
    order: np.ndarray
    best: np.ndarray
    n_in: int
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def ids(self) -> list[str]:
        """The ids of the pairs."""
        return self.pairs.ids

    @property
    def selected(self) -> Pairs:
        return self.pairs.take(self.best)

    @property
    def is_selected(self) -> np.ndarray:
        """Whether each pair is, bool (pairs,)."""
        mask = np.zeros(len(self.pairs), dtype=bool)
        mask[self.best] = True
        return mask


@dataclass(frozen=True)
class Outcome:
    """All the sets of an iteration: D, X', D', what was ranked, what was selected (D'_k), and what is trained on
    without selection (D, or nothing).
    """

    dataset: Pairs
    evolved: Evolved
    additional: Pairs
    ranking: Ranking
    selected: Pairs
    unselected: Pairs

    @property
    def train(self) -> Pairs:
        """The training set: what is unselected, then what was selected. A copy of both, made whenever it is asked for:
        of a million pairs some hundred MiB.
        """
        return concat(self.unselected, self.selected)

    @property
    def n_train(self) -> int:
        """How many pairs the training set has."""
        return len(self.unselected) + len(self.selected)


def check_k(recipe: Recipe, n_prompts: int) -> None:
    """Raise `UserError` for a k that is larger than any set there can be, before a model has done any work for it."""
    k, rewriting = recipe.selection.k, recipe.rewriting
    n_rewrites = n_prompts * len(rewriting.strategies) * rewriting.per_strategy
    if recipe.algorithm != "evolve-then-select":
        most, what = n_prompts, f"{n_prompts} prompts"
    elif recipe.selection.ranked == "combined":
        most, what = n_prompts + n_rewrites, f"{n_prompts} prompts and at most {n_rewrites} rewrites of them"
    else:
        most, what = n_rewrites, f"at most {n_rewrites} rewrites of {n_prompts} prompts"
    if isinstance(k, int) and k > most and recipe.selection.mode != "threshold":
        raise UserError(
            f"k is {k}, and the set to select from is made of {what}. Lower K, give a percentage (K=20%), or add "
            "prompts. Nothing has been generated."
        )
