"""The arms of a comparison: what each way to select makes of the rows of a run, as `evolve select` would write it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from evolve.pool.ids import Index, id_array
from evolve.recipe.selection import Selection
from evolve.reports.comparison.sets import Chosen, World
from evolve.run import Run
from evolve.views.evolved import Evolved, Rewrites
from evolve.views.outcome import Ranking
from evolve.views.pairs import Pairs, concat
from prompts.errors import UserError
from selection import metric_of
from selection.comparison import draws

Sets = dict[str, Chosen]  # seeds (D_k, Algorithm 2 alone), selected (D'_k) and train, as `Outcome` has them


@dataclass(frozen=True)
class Arm:
    """A way to select: an algorithm, and a rule with its metric, alpha and guard."""

    algorithm: str
    rule: Selection

    @property
    def metric(self) -> str:
        """The metric with its alpha, if it has one."""
        has_alpha = "alpha" in metric_of(self.rule.metric).inputs
        alpha = self.rule.alpha if isinstance(self.rule.alpha, str) else f"{self.rule.alpha:g}"
        return f"{self.rule.metric} {alpha}" if has_alpha else self.rule.metric

    @property
    def guard(self) -> str:
        return self.rule.guard if isinstance(self.rule.guard, str) else "+".join(self.rule.guard)


@dataclass(frozen=True)
class Made:
    """An arm's ranking, the sets that come of it, and those that come of random selections of the same size from what
    it ranked; without the latter where a random selection needs rows that are not there.
    """

    arm: Arm
    world: World
    ranking: Ranking
    sets: Sets
    random: list[Sets] = field(default_factory=list)


class Bench:
    """Makes the arms of a run one by one, and the random selections beside them once for all that they are the control
    of. No model computes anything: what can't be made of the rows that are there is a `UserError`.
    """

    def __init__(self, run: Run, algorithms: Sequence[str], count: int, seed: int) -> None:
        """`count` random selections, decided by `seed`. Of `algorithms` those that evolve read X' too."""
        self.run, self.count, self.seed = run, count, seed
        self._algorithms = frozenset(algorithms)
        self._worlds: dict[tuple[str, ...], World] = {}
        self._drawn: dict[tuple[object, ...], list[Sets]] = {}
        self._no_x_prime: UserError | None = None

    def make(self, arm: Arm) -> Made:
        """Rank and select as the arm says. Raises `UserError` where it says nothing or rows are missing."""
        if arm.algorithm == "select-then-evolve":
            return self._select_then_evolve(arm)
        world = self.world(arm.rule)
        if arm.algorithm == "select-only":
            return self._made(arm, world, world.dataset, world.initial, lambda selected: (selected, selected))
        if world.additional is None or world.evolved is None:
            assert self._no_x_prime is not None
            raise self._no_x_prime
        if self.run.ranks_combined:
            pairs, base = concat(world.dataset, world.additional), world.initial.joined(world.evolved)
            return self._made(arm, world, pairs, base, lambda selected: (selected, selected))
        return self._made(
            arm, world, world.additional, world.evolved, lambda selected: (selected, world.initial.joined(selected))
        )

    def world(self, rule: Selection) -> World:
        """All pairs under the guard of `rule`: with D' where its rows are there."""
        key = tuple(sorted(rule.checks))
        if key not in self._worlds:
            self._worlds[key] = self._read(rule)
        return self._worlds[key]

    def _read(self, rule: Selection) -> World:
        if self._algorithms == {"select-only"}:
            return World(self.run, rule, None)
        try:
            evolved = self._evolved
            if "select-then-evolve" not in self._algorithms:
                return World(self.run, rule, evolved)
            known = {*evolved.ids, *self.run.prompts}
            return World(self.run, rule, evolved, [one for one in self._rewrites.accepted if one not in known])
        except UserError as error:
            self._no_x_prime = error
            return World(self.run, rule, None)

    @cached_property
    def _evolved(self) -> Evolved:
        return self.run.evol_instruct(self.run.prompts)

    @cached_property
    def _rewrites(self) -> Rewrites:
        return self.run.rewrites_of(self.run.prompts)

    def _select_then_evolve(self, arm: Arm) -> Made:
        world = self.world(arm.rule)
        ranking = self.run.ranked_by(world.dataset, arm.rule)
        ranked = _of(ranking, world.dataset, world.initial)

        def grown(best: np.ndarray) -> Evolved:
            return self._rewrites.of(ranked.parents[best])  # of an initial prompt: its own place in X

        def sets(best: np.ndarray) -> Sets:
            selected = world.grown(grown(best))
            return {"seeds": ranked.take(best), "selected": selected, "train": world.initial.joined(selected)}

        if world.additional is not None:
            return Made(arm, world, ranking, sets(ranking.best), self._control(arm, world, ranking, sets))
        try:  # Algorithm 2 alone was run: the rows of what it selected are there, and of no random selection
            world = World(self.run, arm.rule, None, grown(ranking.best).ids)
        except UserError as error:
            raise UserError(_lacking(self.run, arm)) from error
        return Made(arm, world, ranking, sets(ranking.best))

    def _made(
        self, arm: Arm, world: World, pairs: Pairs, base: Chosen, split: Callable[[Chosen], tuple[Chosen, Chosen]]
    ) -> Made:
        """An arm that selects from `pairs`, which are the set `base`; `split`: from what is selected to that and the
        training set.
        """
        ranking = self.run.ranked_by(pairs, arm.rule)
        ranked = _of(ranking, pairs, base)

        def sets(best: np.ndarray) -> Sets:
            selected, train = split(ranked.take(best))
            return {"selected": selected, "train": train}

        return Made(arm, world, ranking, sets(ranking.best), self._control(arm, world, ranking, sets))

    def _control(self, arm: Arm, world: World, ranking: Ranking, sets: Callable[[np.ndarray], Sets]) -> list[Sets]:
        key = (arm.algorithm, id(world), len(ranking.pairs), len(ranking.best))
        if key not in self._drawn:
            drawn = draws(id_array(ranking.ids), len(ranking.best), self.count, self.seed)
            self._drawn[key] = [sets(best) for best in drawn]
        return self._drawn[key]


def _of(ranking: Ranking, pairs: Pairs, base: Chosen) -> Chosen:
    """The set that was ranked: `base`, which are `pairs`, or what a floor on rewards left of them."""
    if len(ranking.pairs) == len(pairs):
        return base
    return base.take(Index(id_array(pairs.ids)).find(id_array(ranking.ids)))


def _lacking(run: Run, arm: Arm) -> str:
    """What to do where Algorithm 2 has no rows for what an arm selects."""
    rule = arm.rule
    words = ["evolve", "run", "RECIPE", "--run", str(run.folder), "--iter", str(run.iteration)]
    words += ["--algo", arm.algorithm, "--metric", rule.metric, "--alpha", f"{rule.alpha}", "--k", f"{rule.k}"]
    words += ["--set", f"selection.guard={arm.guard}"] if rule.guard != run.recipe.selection.guard else []
    return (
        f"the pool has no rewrites, responses or rewards of some prompts that {arm.metric} selects. "
        f"`{shlex.join(words)}` computes what is missing of these; with --algo evolve-then-select it computes all that "
        "any metric may select."
    )
