"""`evolve judge`: what a judge says of samples of several selections, beside the reward model (Figures 3 and 11)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evolve.datasets.folder import metric_folder
from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker, judge_of
from evolve.recipe.sections import Recipe
from evolve.run import Run
from evolve.views.judged import Judged, judged
from evolve.views.pairs import Pairs
from evolve.watch.tally import Tally
from evolve.workers.judge import judge_missing
from prompts import content_id
from prompts.errors import UserError
from prompts.reasons import REASONS
from rewards.preference_judge import TEMPLATE, PreferenceJudge
from selection.agreement import (
    AGREES,
    DISAGREES,
    UNDECIDED,
    Share,
    agreement,
    by_margin,
    difference,
    first_place,
)

BINS = 4  # of reward margins


@dataclass(frozen=True)
class Sampled:
    """A sample of a selection: the name of its dataset, how many pairs were selected, and the sampled ones."""

    name: str
    n_selected: int
    pairs: Pairs


def judged_selections(
    folder: Path,
    iteration: int,
    recipes: Sequence[Recipe],
    *,
    model: str,
    base_url: str | None,
    n: int,
    seed: int,
    template: Path | None,
    max_tokens: int,
    parallel: int,
) -> dict[str, Any]:
    """Have the judge compare what it has not, of samples of the recipes' selections; the figures. Killed at any moment,
    the same call goes on. Raises `UserError` where rows or server are missing.
    """
    text = TEMPLATE if template is None else _read(template)
    judge = PreferenceJudge(model, base_url=base_url, template=text, max_tokens=max_tokens, concurrency=parallel)
    maker = judge_of(model, judge.server.base_url, text, max_tokens)
    samples, run = [], None
    for recipe in recipes:
        run = Run(recipe, folder, iteration, view_only=True)
        selected = run.execute().selected
        if not len(selected):
            raise UserError(f"{metric_folder(recipe.selection)} selects no pair: there is nothing to judge.")
        samples.append(sample_of(metric_folder(recipe.selection), selected, n, seed))
    assert run is not None, "there is a recipe"
    rows, tally = together(samples), Tally()
    asked = judge_missing(run.pool, run.sampler.id, maker, rows, lambda: judge, tally)
    figures = figures_of(run.pool, maker, samples) | {"asked_now": asked, "owed": dict(tally.owed)}
    run.pool.close()
    return figures


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The template {path} can't be read ({error}). Expected a text file in UTF-8.") from error


def sample_of(name: str, selected: Pairs, n: int, seed: int) -> Sampled:
    """`n` of the selected pairs, or all, drawn by a hash of seed and pair: what is in two selections tends to be in
    both samples, a larger n adds pairs to those of a smaller one, and nothing depends on an order.
    """
    keys = [content_id("sample for the judge", seed, one) for one in selected.ids]
    places = np.array(sorted(range(len(keys)), key=keys.__getitem__)[:n], int)
    return Sampled(name, len(selected), selected.take(np.sort(places)))


def together(samples: Sequence[Sampled]) -> np.ndarray:
    """The rows of all samples, each pair once."""
    rows = np.concatenate([one.pairs.rows for one in samples])
    _, first = np.unique(rows[["chosen_id", "rejected_id"]], return_index=True)
    found: np.ndarray = rows[np.sort(first)]
    return found


def figures_of(pool: Pool, maker: Maker, samples: Sequence[Sampled]) -> dict[str, Any]:
    """All figures, as `--json` writes them. Shares are {k, n, low, high, value}, the interval one of 95%."""
    found = [judged(pool, maker.id, one.pairs.rows) for one in samples]
    everything = together(samples)
    said = judged(pool, maker.id, everything)
    margins = np.abs(everything["score_chosen"] - everything["score_rejected"])[said.both]
    return {
        "judge": maker.settings | {"id": maker.id},
        "selections": [_selection(one, says) for one, says in zip(samples, found, strict=True)],
        "differences": [
            _difference(one, other, found[i], found[j])
            for (i, one), (j, other) in itertools.combinations(enumerate(samples), 2)
        ],
        "all": {"pairs": len(everything)} | _shares(said),
        "by_margin": [
            {"from": low, "to": high, "agreement": _share(one)}
            for low, high, one in by_margin(margins, said.said, BINS)
        ],
        "errors": dict(said.errors),
    }


def _selection(one: Sampled, says: Judged) -> dict[str, Any]:
    return {"name": one.name, "selected": one.n_selected, "sampled": len(one.pairs)} | _shares(says)


def _shares(says: Judged) -> dict[str, Any]:
    both = says.both
    return {
        "judged": int(both.sum()),
        "agrees": int((says.said == AGREES).sum()),
        "disagrees": int((says.said == DISAGREES).sum()),
        "undecided": int((says.said == UNDECIDED).sum()),
        "agreement": _share(agreement(says.said)),
        "first_place": _share(first_place(says.chosen_first[both], says.rejected_first[both])),
    }


def _difference(one: Sampled, other: Sampled, says: Judged, other_says: Judged) -> dict[str, Any]:
    value, low, high = difference(agreement(says.said), agreement(other_says.said))
    shared = len(set(one.pairs.ids) & set(other.pairs.ids))
    return {
        "of": [one.name, other.name],
        "shared": shared,
        "value": _number(value),
        "low": _number(low),
        "high": _number(high),
    }


def _share(one: Share) -> dict[str, Any]:
    return asdict(one) | {"value": _number(one.value)}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def text_of_figures(figures: dict[str, Any]) -> str:
    """The figures for a terminal."""
    width = max(len(one["name"]) for one in figures["selections"]) + 2
    judge = figures["judge"]
    lines = [
        f"{judge['model']} at {judge['base_url']} reads every pair in both orders; a pair is decided if it prefers",
        "the same response in both. Agreement: of those, where it prefers the chosen one, with the 95% interval.",
        "",
        f"{'selection':<{width}}{'sampled':>9}{'judged':>9}{'decided':>9}   agreement with the reward model",
    ]
    lines += [_line(one["name"], one["sampled"], one, width) for one in figures["selections"]]
    if len(figures["selections"]) > 1:
        lines.append(_line("all, each once", figures["all"]["pairs"], figures["all"], width))
    lines += [f"\n{' - '.join(one['of'])}: {_points(one)}" for one in figures["differences"]]
    lines += [
        "",
        f"It names the response that it reads first in {_told(figures['all']['first_place'])} of its answers.",
    ]
    if len(figures["by_margin"]) > 1:
        lines += ["", "By the reward margin, all pairs:"]
        lines += [
            f"  {one['from']:>9.4g} to {one['to']:<9.4g} {_told(one['agreement'])}" for one in figures["by_margin"]
        ]
    lines += [f"No verdict, {reason}: {n:,} ({REASONS[reason].meaning})" for reason, n in figures["errors"].items()]
    return "\n".join(lines)


def _line(name: str, sampled: int, one: dict[str, Any], width: int) -> str:
    decided = one["agrees"] + one["disagrees"]
    return f"{name:<{width}}{sampled:>9,}{one['judged']:>9,}{decided:>9,}   {_told(one['agreement'])}"


def _told(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return "-"
    return f"{share['value']:.1%} [{share['low']:.1%}, {share['high']:.1%}]"


def _points(one: dict[str, Any]) -> str:
    shared = f"{one['shared']:,} pairs are in both samples"
    if one["value"] is None:
        return f"- ({shared})"
    value, low, high = (100 * one[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}] ({shared})"
