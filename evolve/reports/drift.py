"""How a policy moves over the iterations of a run: rewards, lengths, variety, rewriting, agreement, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evolve.datasets.manifest import metric_means
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.recipe import stored
from evolve.run import Run
from evolve.views.known import known_of
from evolve.views.outcome import Outcome
from evolve.views.pairs import Pairs
from prompts.display import shown
from prompts.diversity import ORDERS, distinct

NAME = "drift.json"
N_TEXTS = 1_000  # responses whose n-grams are counted: distinct-n falls with the size of the sample, so it is bounded


def drift_of(run: Run, outcome: Outcome) -> dict[str, Any]:
    """The figures of an iteration. Those of responses are of the first iteration's X, which later ones hold as well, so
    that iterations compare where X grows. What nothing is known of is None.
    """
    first = stored.kept(run.folder, 1)
    asked = run.pool.description("x", first.x_id).get("ids") if first else None
    prompt_ids = list(asked or run.prompts)
    spans = [run.responses.spans.get(one, slice(0, 0)) for one in prompt_ids]
    scores = [run.responses.scores[span] for span in spans]
    known = [one[np.isfinite(one)] for one in scores]
    evolved = outcome.evolved
    return {
        "iteration": run.iteration,
        "policy": run.sampler.model,
        "mean_reward": _mean(np.concatenate([np.empty(0), *known])),
        "mean_best": _mean(np.array([one.max() for one in known if len(one)])),
        "mean_tokens": _mean(np.concatenate([np.empty(0), *(run.responses.n_tokens[span] for span in spans)])),
        "distinct": _distinct(run, spans),
        "rewrites": {"in": evolved.n_in, "kept": len(evolved.ids), "dropped": dict(sorted(evolved.dropped.items()))},
        "sign_agreement": _agreement(run, outcome.dataset),
        "metrics": metric_means(run, outcome.ranking),
    }


def _distinct(run: Run, spans: Sequence[slice]) -> dict[str, float | None]:
    """distinct-n of N_TEXTS responses at most, evenly chosen."""
    rows = np.concatenate([np.empty(0, int), *(np.arange(span.start, span.stop) for span in spans)]).astype(int)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), N_TEXTS)).astype(int))] if len(rows) else rows
    texts = run.texts.fetch(run.responses.ids[rows], ["text"])["text"].to_pylist() if len(rows) else []
    return distinct(text for text in texts if text)


def _agreement(run: Run, pairs: Pairs) -> float | None:
    """Share of D's pairs whose chosen response has the larger implicit reward too, in the recipe's form."""
    known = known_of(pairs, pairs.ids, None, run.recipe.selection, run.recipe.sampling.seed, ())
    if not len(pairs) or "implicit_chosen" not in known or "implicit_rejected" not in known:
        return None
    return _mean((known["implicit_chosen"] > known["implicit_rejected"]).astype(float))


def keep_drift(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Keep the figures beside what else is kept of the iteration, and return them."""
    found = drift_of(run, outcome)
    write_json(run.folder / f"iteration-{run.iteration}" / NAME, found)
    return found


def kept_drift(folder: Path) -> list[dict[str, Any]]:
    """The figures that were kept, by iteration; a file that is damaged counts for nothing: the loop writes it anew."""
    found = []
    for iteration in stored.iterations(folder):
        try:
            found.append(read_json(folder / f"iteration-{iteration}" / NAME))
        except (OSError, Damaged):
            continue
    return found


def drift_table(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Head and lines of a table for people, a line an iteration."""
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    head = ["iteration", "reward", "best of n", "tokens", *(f"distinct-{n}" for n in ORDERS)]
    head += ["rewrites kept", "sign agreement", *(f"{name}: ranked, selected" for name in metrics)]
    return head, [_cells(row, metrics) for row in rows]


def _cells(row: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    book = row["rewrites"]
    cells = [str(row["iteration"]), *(_number(row[key]) for key in ("mean_reward", "mean_best", "mean_tokens"))]
    cells += [_number(row["distinct"].get(str(n))) for n in ORDERS]
    cells += [_share(book["kept"] / book["in"] if book["in"] else None), _share(row["sign_agreement"])]
    for name in metrics:
        mean = row["metrics"].get(name, {})
        cells.append(f"{_number(mean.get('before'))}, {_number(mean.get('after'))}")
    return cells


def drift_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table as lines of text, figures by line and iterations by column, then why rewrites were dropped."""
    if not rows:
        return []
    head, cells = drift_table(rows)
    columns = [head, *cells]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in zip(*columns, strict=True)
    ]
    return lines + dropped_lines(rows)


def dropped_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For each iteration that dropped rewrites, how many for which reason."""
    lines = []
    for row in rows:
        counts = sorted(row["rewrites"]["dropped"].items(), key=lambda item: -item[1])
        if counts:
            told = ", ".join(f"{shown(str(reason), one_line=True)} {n:,}" for reason, n in counts)
            lines.append(f"rewrites dropped in iteration {row['iteration']}: {told}")
    return lines


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
