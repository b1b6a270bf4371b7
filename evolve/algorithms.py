"""The two algorithms of the paper, line by line. `run` knows how; what to do is all here.

`grow` computes what the pool lacks, as one stream; everything after it is a view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evolve.evolved import Evolved
from evolve.views import Pairs, concat
from selection import Scale

if TYPE_CHECKING:
    from evolve.run import Run


@dataclass(frozen=True)
class Ranking:
    """A ranked set: its pairs, the metric's scores, sigma_r and sigma_pi, and the indices of the k best, best first."""

    pairs: Pairs
    scores: np.ndarray
    scale: Scale
    best: np.ndarray

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


def evolve_then_select(run: Run) -> Outcome:
    """Algorithm 1, one iteration: evolve every prompt, select the best of D'."""
    run.grow(sample=run.prompts, evolve=run.prompts)
    dataset = run.gen_dataset(run.prompts)  # D    <- GenDataset(X, pi, r)
    evolved = run.evol_instruct(run.prompts)  # X'   <- EvolInstruct(X)
    additional = run.gen_dataset(evolved.ids)  # D'   <- GenDataset(X', pi, r)
    if run.recipe.selection.pool == "combined":  # Figure 6: the best of D and D' together
        ranking = run.top_k(concat(dataset, additional))
        return Outcome(dataset, evolved, additional, ranking, ranking.selected, ranking.selected)
    ranking = run.top_k(additional)  # D'_k <- {d in D' | M(d) >= tau_k}
    selected = ranking.selected
    return Outcome(dataset, evolved, additional, ranking, selected, concat(dataset, selected))  # D u D'_k


def select_then_evolve(run: Run) -> Outcome:
    """Algorithm 2, eva's order, one iteration: select the best of D, evolve only their prompts."""
    run.grow(sample=run.prompts)
    dataset = run.gen_dataset(run.prompts)  # D    <- GenDataset(X, pi, r)
    ranking = run.top_k(dataset)  # D_k  <- {d in D | M(d) >= tau_k}
    seeds = ranking.selected.column("prompt_id")
    run.grow(evolve=seeds)
    evolved = run.evol_instruct(seeds)  # X'_k <- EvolInstruct(X_k)
    additional = run.gen_dataset(evolved.ids)  # D'_k <- GenDataset(X'_k, pi, r)
    return Outcome(dataset, evolved, additional, ranking, additional, concat(dataset, additional))  # D u D'_k


ALGORITHMS = {"evolve-then-select": evolve_then_select, "select-then-evolve": select_then_evolve}
