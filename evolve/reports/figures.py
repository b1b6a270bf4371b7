"""The numbers behind a report's charts: ranked pairs, what each metric selects of them, every strategy's yield."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.recipe.choices import MetricName
from evolve.run import Run
from evolve.views.outcome import Outcome, Ranking
from prompts.errors import UserError

METRICS = get_args(MetricName)
ALPHAS = (0.0, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)  # with those of the paper
MOST_POINTS = 10_000
TEXT_BUDGET = 1_200_000  # characters for the texts under the pointer
BINS = 40


def points(run: Run, outcome: Outcome) -> tuple[dict[str, Any], np.ndarray]:
    """The ranked pairs as columns, and which of the ranking's rows they are.

    All of them, or of more than MOST_POINTS every n-th by rank, so that selected and other ones keep their shares.
    """
    ranking = outcome.ranking
    pairs = ranking.pairs
    places = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_POINTS)).round().astype(int))
    at = np.sort(ranking.order[places])
    shown = pairs.take(at)
    strategies = dict(zip(outcome.evolved.ids, outcome.evolved.strategies, strict=True))
    prompt_ids = shown.column("prompt_id")
    names = ["initial", *dict.fromkeys(outcome.evolved.strategies)]
    place = {name: i for i, name in enumerate(names)}
    columns = {
        "explicit": _rounded(shown.explicit),
        "implicit": _rounded(shown.implicit),
        "score_chosen": _rounded(shown.rows["score_chosen"]),
        "score_rejected": _rounded(shown.rows["score_rejected"]),
        "tokens_chosen": shown.rows["n_tokens_chosen"].tolist(),
        "tokens_rejected": shown.rows["n_tokens_rejected"].tolist(),
        "strategy": [place[strategies.get(one, "initial")] for one in prompt_ids],
        "prompt": prompt_ids,
        "texts": _texts(run, shown),
    }
    return {"of": len(pairs), "strategies": names, "columns": columns}, at


def selections(run: Run, ranking: Ranking, at: np.ndarray) -> list[dict[str, Any]]:
    """What each metric, and M_AP with each of ALPHAS, selects of the ranked set, as a string of 0 and 1 over `at`.

    A metric that says nothing of this set is left out.
    """
    rule = run.recipe.selection
    wanted = [("map", alpha) for alpha in sorted({*ALPHAS, rule.alpha})]
    wanted += [(metric, rule.alpha) for metric in METRICS if metric != "map"]
    found = []
    for metric, alpha in wanted:
        try:
            other = run.ranked_by(ranking.pairs, rule.model_copy(update={"metric": metric, "alpha": alpha}))
        except UserError:
            continue
        chosen = np.zeros(len(ranking.pairs), dtype=np.uint8)
        chosen[other.best] = 1
        overlap = int(chosen[ranking.best].sum())
        found.append(
            {
                "metric": metric,
                "alpha": alpha if metric == "map" else None,
                "shared": overlap,
                "selected": len(other.best),
                "chosen": (chosen[at] + ord("0")).tobytes().decode(),
            }
        )
    return found


def strategies(run: Run, outcome: Outcome) -> list[dict[str, Any]]:
    """Of each strategy, and of X: prompts, pairs, selected pairs, mean reward of all responses and of the best of n,
    and mean tokens of chosen and rejected.
    """
    evolved, ranking = outcome.evolved, outcome.ranking
    groups = {"initial": run.prompts}
    for prompt_id, strategy in zip(evolved.ids, evolved.strategies, strict=True):
        groups.setdefault(strategy, []).append(prompt_id)
    selected = set(ranking.selected.column("prompt_id"))
    pairs = {
        prompt_id: row
        for one in (outcome.dataset, outcome.additional)
        for prompt_id, row in zip(one.column("prompt_id"), one.rows, strict=True)
    }
    told = []
    for name, prompt_ids in groups.items():
        spans = [run.responses.spans.get(one, slice(0, 0)) for one in prompt_ids]
        scores = [run.responses.scores[span] for span in spans]
        paired = [pairs[one] for one in prompt_ids if one in pairs]
        told.append(
            {
                "name": name,
                "prompts": len(prompt_ids),
                "pairs": len(paired),
                "selected": sum(one in selected for one in prompt_ids),
                "mean_reward": _mean(np.concatenate(scores)) if scores else None,
                "mean_best": _mean(np.array([s[np.isfinite(s)].max() for s in scores if np.isfinite(s).any()])),
                "tokens_chosen": _mean(np.array([row["n_tokens_chosen"] for row in paired])),
                "tokens_rejected": _mean(np.array([row["n_tokens_rejected"] for row in paired])),
            }
        )
    return told


def histogram(values: dict[str, np.ndarray]) -> dict[str, Any]:
    """Counts of several arrays in the same BINS bins, and the bins' edges. Without the outermost 0.2 % of each side,
    which are counted in the first and last bin.
    """
    every = np.concatenate([one[np.isfinite(one)] for one in values.values()] or [np.zeros(0)])
    if not len(every):
        return {"edges": [], "counts": {name: [] for name in values}}
    low, high = np.quantile(every, [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counts = {
        name: np.histogram(np.clip(one[np.isfinite(one)], edges[0], edges[-1]), edges)[0].tolist()
        for name, one in values.items()
    }
    return {"edges": _rounded(edges), "counts": counts}


def distributions(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Histograms of rewards, margins, scores by the metric and lengths."""
    ranking = outcome.ranking
    pairs, selected = ranking.pairs, ranking.selected
    chosen, rejected = pairs.rows["n_tokens_chosen"], pairs.rows["n_tokens_rejected"]
    return {
        "Reward of all responses and of the pairs": histogram(
            {
                "all responses": run.responses.scores,
                "chosen": pairs.rows["score_chosen"],
                "rejected": pairs.rows["score_rejected"],
            }
        ),
        "Explicit margin M_r": histogram({"ranked": pairs.explicit, "selected": selected.explicit}),
        "Implicit margin M_pi (nats a token)": histogram({"ranked": pairs.implicit, "selected": selected.implicit}),
        "Score by the metric": histogram({"ranked": ranking.scores, "selected": ranking.scores[ranking.best]}),
        "Tokens of a response": histogram({"chosen": chosen.astype(float), "rejected": rejected.astype(float)}),
    }


def _texts(run: Run, shown: Any) -> list[list[str]]:
    """Prompt, chosen and rejected of each pair, shortened to what TEXT_BUDGET leaves for one."""
    each = max(24, min(160, TEXT_BUDGET // max(1, 3 * len(shown))))
    prompts = Lookup(run.pool.prompts, "id").fetch(shown.column("prompt_id"), ["messages"])["messages"].to_pylist()
    chosen = run.texts.fetch(shown.column("chosen_id"), ["text"])["text"].to_pylist()
    rejected = run.texts.fetch(shown.column("rejected_id"), ["text"])["text"].to_pylist()
    rows = zip(prompts, chosen, rejected, strict=True)
    return [[_short(m[-1]["content"], each), _short(good, each), _short(bad, each)] for m, good, bad in rows]


def _short(text: str, length: int) -> str:
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _mean(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
