"""What `evolve compare` tells, as data: arms, their sets with all figures, overlaps, and what could not be made."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from evolve.pool.ids import distinct, id_array
from evolve.recipe.selection import Selection
from evolve.reports.comparison.arms import Arm, Bench, Made
from evolve.reports.comparison.figures import FIGURES, Columns, Measure, entry, sigma_of, told
from evolve.reports.comparison.sets import World
from evolve.run import Run
from evolve.views.given import check_given
from prompts.errors import UserError
from selection.comparison import FEWEST_DRAWS, LEVEL, average_ranks, draws, jaccard, rank_correlation, standardized

KIND, SCHEMA = "evolve-select comparison", 1
METRICS = ("map", "eva", "implicit", "m-plus")  # the paper's; a random selection stands beside each
ALGORITHMS = {"evolve-then-select": "Alg. 1", "select-then-evolve": "Alg. 2", "select-only": "D alone"}
ALWAYS = ("map", "eva", "implicit")  # whose means are told of every set, whatever selects


def compare(run: Run, arms: Sequence[Arm], *, count: int = FEWEST_DRAWS, seed: int | None = None) -> dict[str, Any]:
    """Compare what `arms` select of the rows of `run` (a view), each with `count` random selections of the same size.

    An arm that can't be made is left out, with the reason; `UserError` if that is every one.
    """
    if run.recipe.selection.pair_rule == "given":
        check_given(run.folder, run.pool.description("x", run.resolved.x_id))
    seed = run.recipe.sampling.seed if seed is None else seed
    bench = Bench(run, [arm.algorithm for arm in arms], count, seed)
    made, left_out = [], []
    for arm in arms:
        try:
            made.append(bench.make(arm))
        except UserError as error:
            left_out.append({"arm": _name(arm, arms), "why": str(error)})
    if not made:
        raise UserError("\n".join(["There is nothing to compare.", *dict.fromkeys(one["why"] for one in left_out)]))
    measures = _measures(run.recipe.selection, made)
    base = bench.world(arms[0].rule)
    sigma = sigma_of(run, base, arms[0].rule)
    worlds = {id(one): one for one in (base, *(one.world for one in made))}
    columns = {key: Columns(run, world, measures, sigma) for key, world in worlds.items()}
    names = [_name(one.arm, arms) for one in made]
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "run": run.folder.name,
        "iteration": run.iteration,
        "random": {"selections": count, "seed": seed, "level": LEVEL},
        "sigma": {
            "sigma_r": _finite(sigma and sigma.sigma_r),
            "sigma_pi": _finite(sigma and sigma.sigma_pi),
            "over": "dataset" if base.additional is None else "dataset and additional",
            "guard": arms[0].guard,
        },
        "figures": {name: figure._asdict() for name, figure in FIGURES.items()},
        "metrics": [one.name for one in measures],
        "metrics_unknown": columns[id(base)].unknown,
        "sets": _whole_sets(made, columns),
        "arms": [_arm(one, name, columns[id(one.world)]) for one, name in zip(made, names, strict=True)],
        "overlaps": _overlaps(made, names, count, seed),
        "left_out": left_out,
    }


def arms_of(algorithms: Sequence[str], rules: Sequence[Selection]) -> list[Arm]:
    """Each algorithm with each rule, without those that are the same but for an alpha that their metric has not."""
    found = [Arm(algorithm, rule) for algorithm in algorithms for rule in rules]
    return list({(one.algorithm, one.metric, one.guard): one for one in reversed(found)}.values())[::-1]


def own_arms(run: Run) -> list[Arm]:
    """What is compared where nothing is named: the run's own metric and those of the paper, by its algorithm."""
    rule = run.recipe.selection
    metrics = dict.fromkeys((rule.metric, *METRICS))
    return arms_of([run.recipe.algorithm], [rule.model_copy(update={"metric": one}) for one in metrics])


def _name(arm: Arm, arms: Sequence[Arm]) -> str:
    """What tells an arm from the others: its metric, with its guard and algorithm where these differ."""
    also = [arm.guard] if len({one.guard for one in arms}) > 1 else []
    also += [ALGORITHMS[arm.algorithm]] if len({one.algorithm for one in arms}) > 1 else []
    return f"{arm.metric} ({', '.join(also)})" if also else arm.metric


def _measures(rule: Selection, made: Sequence[Made]) -> list[Measure]:
    """The metrics whose means are told: those that select, and ALWAYS. A random number's mean says nothing."""
    found: dict[str, Measure] = {}
    alpha = next((one.ranking.alpha for one in made if math.isfinite(one.ranking.alpha)), 1.0)
    rules = [(one.arm.rule, one.ranking.alpha) for one in made]
    there = {one.metric for one, _ in rules}
    rules += [(rule.model_copy(update={"metric": m, "parameters": {}}), alpha) for m in ALWAYS if m not in there]
    for one, of_one in rules:
        alpha_of = of_one if math.isfinite(of_one) else alpha
        name = Arm("", one.model_copy(update={"alpha": float(f"{alpha_of:.4g}")})).metric
        if one.metric != "uniform":
            found.setdefault(name, Measure(name, one, alpha_of))
    return sorted(found.values(), key=lambda measure: _place(measure.rule.metric))


def _place(metric: str) -> int:
    return ALWAYS.index(metric) if metric in ALWAYS else len(ALWAYS)


def _whole_sets(made: Sequence[Made], columns: dict[int, Columns]) -> list[dict[str, Any]]:
    """D and D' under each guard."""
    worlds: dict[str, World] = {}
    for one in made:
        if one.arm.guard not in worlds or one.world.additional is not None:
            worlds[one.arm.guard] = one.world
    return [
        {"set": name, "guard": guard} | told(columns[id(world)], chosen)
        for guard, world in worlds.items()
        for name, chosen in (("dataset", world.initial), ("additional", world.evolved))
        if chosen is not None
    ]


def _arm(made: Made, name: str, columns: Columns) -> dict[str, Any]:
    ranking, rule = made.ranking, made.arm.rule
    return {
        "name": name,
        "metric": rule.metric,
        "alpha": _finite(ranking.alpha),
        "guard": made.arm.guard,
        "algorithm": made.arm.algorithm,
        "k": rule.k,
        "ranked": len(ranking.pairs),
        "selected": len(ranking.best),
        "sets": {kind: told(columns, chosen, [one[kind] for one in made.random]) for kind, chosen in made.sets.items()},
    }


def _overlaps(made: Sequence[Made], names: Sequence[str], count: int, seed: int) -> list[dict[str, Any]]:
    """Of every two arms: how much of their selected pairs is the same, and how alike they order what both ranked."""
    worlds = list({id(one.world): one.world for one in made}.values())
    _, which = distinct(np.concatenate([world.ids for world in worlds]))
    ends = np.cumsum([len(world.ids) for world in worlds])[:-1]
    codes = {id(world): of for world, of in zip(worlds, np.split(which, ends), strict=True)}
    selected = [np.unique(codes[id(one.world)][one.sets["selected"].at]) for one in made]
    drawn = [[np.unique(codes[id(one.world)][sets["selected"].at]) for sets in one.random] for one in made]
    orders = _Orders(made, count, seed)
    found = []
    for i, j in itertools.combinations(range(len(made)), 2):
        found.append(
            {
                "arms": [names[i], names[j]],
                "shared": len(np.intersect1d(selected[i], selected[j], assume_unique=True)),
                "jaccard": entry(jaccard(selected[i], selected[j]), [jaccard(selected[i], one) for one in drawn[j]]),
                "rank_correlation": orders.entry(i, j),
            }
        )
    return found


class _Orders:
    """How alike arms order the pairs that both have ranked, and how alike random orders are to theirs."""

    def __init__(self, made: Sequence[Made], count: int, seed: int) -> None:
        self._made, self._count, self._seed = made, count, seed
        self._control: dict[int, list[float]] = {}

    def entry(self, i: int, j: int) -> dict[str, Any] | None:
        """The rank correlation of two arms; None where one has ranked D and the other D'."""
        one, other = self._made[i], self._made[j]
        if one.arm.algorithm != other.arm.algorithm:
            return None
        scores = one.ranking.scores, other.ranking.scores
        if one.ranking.ids != other.ranking.ids:
            ids = id_array(one.ranking.ids), id_array(other.ranking.ids)
            _, *places = np.intersect1d(*ids, return_indices=True)
            scores = scores[0][places[0]], scores[1][places[1]]
        return entry(rank_correlation(*scores), self._of_random(i))

    def _of_random(self, i: int) -> list[float]:
        if i not in self._control:
            ranking = self._made[i].ranking
            n = len(ranking.ids)
            own = standardized(average_ranks(ranking.scores))
            orders = draws(id_array(ranking.ids), n, self._count, self._seed)
            self._control[i] = [float(standardized(one.astype(float)) @ own) for one in orders]
        return self._control[i]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
