"""The two algorithms of the paper, line by line, over the steps that they are made of.

`grow` computes what the pool lacks, as one stream; everything after it is a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from evolve.views.evolved import Evolved
from evolve.views.outcome import Outcome, Ranking
from evolve.views.pairs import Pairs, concat


class Steps(Protocol):
    """What an algorithm is written in; `evolve.run.Run` has these steps. Prompts are given by their ids."""

    @property
    def prompts(self) -> list[str]:
        """X, in order."""
        ...

    @property
    def ranks_combined(self) -> bool:
        """Whether the best of D and D' together are selected (Figure 6), instead of the best of D'."""
        ...

    def grow(self, *, sample: Sequence[str] = (), rewrite: Sequence[str] = ()) -> None:
        """Compute what is missing until `sample` have scored responses, and `rewrite` rewrites with such."""
        ...

    def gen_dataset(self, prompt_ids: Sequence[str]) -> Pairs:
        """GenDataset: the pairs of these prompts."""
        ...

    def evol_instruct(self, parents: Sequence[str]) -> Evolved:
        """EvolInstruct: the rewrites of `parents` that became prompts."""
        ...

    def top_k(self, pairs: Pairs) -> Ranking:
        """Rank `pairs` by the metric and select k."""
        ...


def evolve_then_select(run: Steps) -> Outcome:
    """Algorithm 1, one iteration: evolve every prompt, select the best of D'."""
    run.grow(sample=run.prompts, rewrite=run.prompts)
    dataset = run.gen_dataset(run.prompts)  # D    <- GenDataset(X, pi, r)
    evolved = run.evol_instruct(run.prompts)  # X'   <- EvolInstruct(X)
    additional = run.gen_dataset(evolved.ids)  # D'   <- GenDataset(X', pi, r)
    if run.ranks_combined:
        ranking = run.top_k(concat(dataset, additional))
        return Outcome(dataset, evolved, additional, ranking, ranking.selected, dataset.take([]))
    ranking = run.top_k(additional)  # D'_k <- {d in D' | M(d) >= tau_k}
    return Outcome(dataset, evolved, additional, ranking, ranking.selected, unselected=dataset)  # D u D'_k


def select_then_evolve(run: Steps) -> Outcome:
    """Algorithm 2, eva's order, one iteration: select the best of D, evolve only their prompts."""
    run.grow(sample=run.prompts)
    dataset = run.gen_dataset(run.prompts)  # D    <- GenDataset(X, pi, r)
    ranking = run.top_k(dataset)  # D_k  <- {d in D | M(d) >= tau_k}
    seeds = ranking.selected.column("prompt_id")
    run.grow(rewrite=seeds)
    evolved = run.evol_instruct(seeds)  # X'_k <- EvolInstruct(X_k)
    additional = run.gen_dataset(evolved.ids)  # D'_k <- GenDataset(X'_k, pi, r)
    return Outcome(dataset, evolved, additional, ranking, additional, unselected=dataset)  # D u D'_k


def select_only(run: Steps) -> Outcome:
    """No evolution: the best of D are the training set (Section 3.2, where D is existing preference data)."""
    run.grow(sample=run.prompts)
    dataset = run.gen_dataset(run.prompts)  # D
    ranking = run.top_k(dataset)
    return Outcome(dataset, Evolved([], [], [], 0), dataset.take([]), ranking, ranking.selected, dataset.take([]))


ALGORITHMS: dict[str, Callable[[Steps], Outcome]] = {
    "evolve-then-select": evolve_then_select,
    "select-then-evolve": select_then_evolve,
    "select-only": select_only,
}
