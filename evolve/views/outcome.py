"""The sets of an iteration: what was ranked, what was selected, and the training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evolve.recipe.sections import Recipe, Selection
from evolve.views.evolved import Evolved
from evolve.views.pairs import Pairs
from prompts.errors import UserError
from selection import Scale, count_of, ranked, scale_of, score_pairs


@dataclass(frozen=True)
class Ranking:
    """A ranked set: its pairs and their ids, the metric's scores, sigma_r and sigma_pi, the indices of all, best first,
    and how many of these are selected.
    """

    pairs: Pairs
    ids: list[str]
    scores: np.ndarray
    scale: Scale
    order: np.ndarray
    k: int

    @property
    def best(self) -> np.ndarray:
        """Indices of the k best, best first."""
        return self.order[: self.k]

    @property
    def selected(self) -> Pairs:
        return self.pairs.take(self.best)


@dataclass(frozen=True)
class Outcome:
    """All the sets of an iteration: D, X', D', what was ranked, what was selected (D'_k), and the training set."""

    dataset: Pairs
    evolved: Evolved
    additional: Pairs
    ranking: Ranking
    selected: Pairs
    train: Pairs


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
    if isinstance(k, int) and k > most:
        raise UserError(
            f"k is {k}, and the set to select from is made of {what}. Lower K, give a percentage (K=20%), or add "
            "prompts. Nothing has been generated."
        )


def rank(pairs: Pairs, rule: Selection, seed: int) -> Ranking:
    """Rank by the recipe's metric. sigma is taken over what is ranked (Appendix D.1). Raises `UserError` for no pair,
    for a set of which the metric says nothing, and for a k that is larger than the set.
    """
    if not len(pairs):
        why = dict(pairs.dropped) if pairs.n_in else "no rewrite passed"
        raise UserError(
            f"No pair is left to rank ({why}). All rows are kept: `evolve status` counts them. Add prompts, raise "
            "sampling.max_tokens if responses are cut off, or rank ties and cut-off responses as the paper does with "
            "selection.guard = 'paper'."
        )
    scale, ids = scale_of(pairs.explicit, pairs.implicit), pairs.ids
    scores = score_pairs(rule.metric, pairs.explicit, pairs.implicit, ids, alpha=rule.alpha, scale=scale, seed=seed)
    return Ranking(pairs, ids, scores, scale, ranked(scores, ids), count_of(rule.k, len(pairs)))
