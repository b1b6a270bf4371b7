"""Figures of sets: each a number for a set of pairs, told beside what random selections of the same size have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from evolve.recipe.selection import Selection
from evolve.reports.comparison.sets import Chosen, World
from evolve.run import Run
from evolve.views.known import known_of, parameters_of, places
from prompts.errors import UserError
from selection import Scale, metric_of, score
from selection.comparison import control, disagrees, length_reward_correlation, n_distinct, standing


class Figure(NamedTuple):
    """What a figure is, and in which unit."""

    meaning: str
    unit: str


FIGURES = {
    "pairs": Figure("pairs of the set", "pairs"),
    "parents": Figure("different prompts of X that they come from", "prompts"),
    "tokens_chosen": Figure("mean |y_w|", "tokens"),
    "tokens_rejected": Figure("mean |y_l|", "tokens"),
    "longer_chosen": Figure("pairs whose chosen response is the longer one", "share"),
    "length_reward": Figure("correlation of length and reward within pairs", "-1 to 1"),
    "disagreement": Figure("pairs that policy and reward model order differently", "share"),
    "reward_chosen": Figure("mean r_w", "reward"),
    "reward_rejected": Figure("mean r_l", "reward"),
    "reward_all": Figure("mean reward of all n responses to the prompts", "reward"),
}


@dataclass(frozen=True)
class Measure:
    """A metric with its alpha, whose mean is told of every set."""

    name: str
    rule: Selection
    alpha: float


def sigma_of(run: Run, world: World, rule: Selection) -> Scale | None:
    """The one sigma_r and sigma_pi: over D and D' together, as one ranked set. None where there are no rewards."""
    known = world.pairs.take(np.arange(world.n_known))
    found: Scale | None = known_of(known, [], None, rule, 0, ()).get("scale")
    return found


class Columns:
    """All that figures are made of, for the pairs of a table."""

    def __init__(self, run: Run, world: World, measures: Sequence[Measure], sigma: Scale | None) -> None:
        pairs, rule = world.pairs, run.recipe.selection
        rows = pairs.rows
        self.strategies = world.strategies
        self.token_gap = (rows["n_tokens_chosen"] - rows["n_tokens_rejected"]).astype(float)
        self.reward_gap = rows["score_chosen"] - rows["score_rejected"]
        known = known_of(pairs, world.ids.astype(str).tolist(), run.responses, rule, run.recipe.sampling.seed, ())
        nothing = np.full(len(pairs), np.nan)
        implicit_gap = known.get("implicit_chosen", nothing) - known.get("implicit_rejected", nothing)
        at = places(pairs, run.responses)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = np.where(at >= 0, run.responses.scores[at], np.nan)
            there = np.isfinite(scores)
            all_n = np.where(there, scores, 0).sum(axis=1) / np.where(there.any(axis=1), there.sum(axis=1), np.nan)
        self.values = {
            "tokens_chosen": rows["n_tokens_chosen"].astype(float),
            "tokens_rejected": rows["n_tokens_rejected"].astype(float),
            "longer_chosen": (self.token_gap > 0).astype(float),
            "disagreement": disagrees(self.reward_gap, implicit_gap),
            "reward_chosen": rows["score_chosen"],
            "reward_rejected": rows["score_rejected"],
            "reward_all": all_n,
        }
        self.metrics: dict[str, np.ndarray] = {}
        self.unknown: dict[str, str] = {}  # metrics that say nothing of these pairs, and why
        for one in measures:
            metric = metric_of(one.rule.metric)
            given = known | known_of(pairs, known["pair_ids"], run.responses, one.rule, known["seed"], metric.inputs)
            given |= {"alpha": one.alpha} | ({"scale": sigma} if sigma else {})
            try:
                self.metrics[one.name] = score(metric, given, parameters_of(one.rule, metric))
            except UserError as error:
                self.unknown[one.name] = str(error)

    def of(self, chosen: Chosen) -> dict[str, dict[str, float]]:
        """The figures of a set: of the pairs, the mean of each metric, and by strategy."""
        at = chosen.at
        figures = {"pairs": float(len(at)), "parents": float(n_distinct(chosen.parents))}
        figures |= {name: _mean(values[at]) for name, values in self.values.items()}
        figures["length_reward"] = length_reward_correlation(self.token_gap[at], self.reward_gap[at])
        told = {
            "figures": {name: figures[name] for name in FIGURES},
            "metrics": {name: _mean(values[at]) for name, values in self.metrics.items()},
        }
        n = np.bincount(chosen.strategies, minlength=len(self.strategies))
        reward = np.bincount(chosen.strategies, self.values["reward_all"][at], minlength=len(self.strategies))
        for code, name in enumerate(self.strategies):
            if chosen.asked[code]:
                mean = float(reward[code] / n[code]) if n[code] else float("nan")
                share = float(n[code] / chosen.asked[code])
                told[f"strategy {name}"] = {"pairs": float(n[code]), "yield": share, "reward_all": mean}
        return told


def told(columns: Columns, chosen: Chosen, random: Sequence[Chosen] = ()) -> dict[str, Any]:
    """The figures of a set as JSON has them, each beside what the `random` sets have: {value, random, standing}."""
    drawn = [columns.of(one) for one in random]
    said: dict[str, Any] = {"strategies": {}}
    for group, figures in columns.of(chosen).items():
        kind, _, strategy = group.partition(" ")
        place = said["strategies"].setdefault(strategy, {}) if strategy else said.setdefault(kind, {})
        for name, value in figures.items():
            place[name] = entry(value, [one[group][name] for one in drawn if group in one])
    return said


def entry(value: float, drawn: Sequence[float]) -> dict[str, Any]:
    """A figure and its control. `random` is None where there is no random selection to hold it against."""
    found = control(drawn)
    return {
        "value": value if np.isfinite(value) else None,
        "random": None if found is None else found._asdict(),
        "standing": standing(value, found),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
