"""All pairs of a run under one guard in one table, and sets of them: D, D', what was selected, as places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evolve.pool.ids import Index, id_array
from evolve.recipe.selection import Selection
from evolve.run import Run
from evolve.views.evolved import Evolved
from evolve.views.pairs import Pairs, concat


@dataclass(frozen=True)
class Chosen:
    """A set of pairs. Arrays of one entry a pair: its place in the table, the parent of its prompt (the place in X; an
    initial prompt is its own) and its strategy (a place in `World.strategies`); and how many prompts of each strategy
    were asked for.
    """

    at: np.ndarray
    parents: np.ndarray
    strategies: np.ndarray
    asked: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def take(self, indices: np.ndarray) -> Chosen:
        """The pairs at `indices`, of the same prompts asked for."""
        return Chosen(self.at[indices], self.parents[indices], self.strategies[indices], self.asked)

    def joined(self, other: Chosen) -> Chosen:
        """Both sets together."""
        both = zip((self.at, self.parents, self.strategies), (other.at, other.parents, other.strategies), strict=True)
        return Chosen(*(np.concatenate(arrays) for arrays in both), self.asked + other.asked)


class World:
    """The pairs of D, of D', and of `further` rewrites (which are in a smaller X'_k, where what they duplicate is not),
    under the guard of `rule`.
    """

    def __init__(self, run: Run, rule: Selection, evolved: Evolved | None, further: Sequence[str] = ()) -> None:
        """Raises `UserError` where rows are missing."""
        self.strategies = ["initial", *run.templates]
        self._x = {prompt_id: n for n, prompt_id in enumerate(run.prompts)}
        self.dataset = run.pairs_by(run.prompts, rule)
        self.additional = None if evolved is None else run.pairs_by(evolved.ids, rule)
        self._further = run.pairs_by(further, rule) if further else self.dataset.take([])
        self.pairs = concat(self._known, self._further)
        self._evolved = evolved

    @property
    def _known(self) -> Pairs:
        """D and D': what sigma is taken over."""
        return self.dataset if self.additional is None else concat(self.dataset, self.additional)

    @property
    def n_known(self) -> int:
        """How many pairs D and D' have; they come first in the table."""
        return len(self._known)

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids of the pairs of the table."""
        parts = (self.dataset, *([] if self.additional is None else [self.additional]), self._further)
        return id_array([one for part in parts for one in part.ids])

    @cached_property
    def initial(self) -> Chosen:
        """D."""
        n = len(self.dataset)
        parents = np.fromiter((self._x[one] for one in self.dataset.column("prompt_id")), np.int64, n)
        asked = np.zeros(len(self.strategies), np.int64)
        asked[0] = len(self._x)
        return Chosen(np.arange(n), parents, np.zeros(n, np.int64), asked)

    @cached_property
    def evolved(self) -> Chosen | None:
        """D', where Algorithm 1's rows are there."""
        return None if self._evolved is None else self.grown(self._evolved)

    def grown(self, evolved: Evolved) -> Chosen:
        """The pairs of the prompts of X', or of an X'_k."""
        at = self._of_prompt.find(id_array(evolved.ids))
        there = at >= 0
        code = {name: n for n, name in enumerate(self.strategies)}
        parents = np.array([self._x[one] for one in evolved.parent_ids], np.int64)
        strategies = np.array([code[one] for one in evolved.strategies], np.int64)
        asked = np.full(len(self.strategies), evolved.n_in // max(1, len(self.strategies) - 1), np.int64)
        asked[0] = 0
        return Chosen(at[there], parents[there], strategies[there], asked)

    def places_in_x(self, prompt_ids: Sequence[str]) -> np.ndarray:
        """Where prompts of X are in it."""
        return np.fromiter((self._x[one] for one in prompt_ids), np.int64, len(prompt_ids))

    @cached_property
    def _of_prompt(self) -> Index:
        return Index(np.ascontiguousarray(self.pairs.rows["prompt_id"]))
