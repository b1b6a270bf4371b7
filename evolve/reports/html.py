"""`evolve report`: one page that opens from a disk and needs no network. All text of models is data, never markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from evolve.api import Dataset
from evolve.pool.files import whole_file
from evolve.pool.output import output_file
from evolve.reports.drift import drift_table, dropped_lines, kept_drift
from evolve.reports.figures import distributions, points, selections, strategies
from evolve.reports.stories import Stories
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.errors import UserError

STORY_BUDGET = 2_000_000  # bytes of the browser's prompts; the page stays under 5 MB
LONGEST = 4_000  # characters of a text in the browser
GENERATOR = "evolve-select report"
SCRIPTS = ("chart.umd.min.js", "figures.js", "browser.js", "page.js")


def write_report(run: Run, outcome: Outcome, dataset: Dataset, out: Path | None = None, *, force: bool = False) -> str:
    """Write the page of an outcome and its dataset to `out`, by default report.html in the dataset's folder, and return
    a line that says so. A file that is there and is no such page is replaced only with `force`: `UserError`.
    """
    if out is not None and not force:
        _refuse_foreign(out)
    stories = Stories(run, outcome)
    picked = list(_picked(stories, run, outcome))
    page = _page(run, outcome, dataset, stories, picked).encode("utf-8", "backslashreplace")
    target = out or dataset.folder / "report.html"
    with output_file(target) if out else whole_file(target) as file:
        file.write(page)
    return (
        f"{target}: {len(picked):,} of {len(stories.ids):,} prompts with all their responses, {len(page) / 1e6:.1f} MB"
    )


def _refuse_foreign(out: Path) -> None:
    try:
        with out.open("rb") as file:
            ours = out.is_file() and GENERATOR.encode() in file.read(1_000)
    except OSError:
        return  # nothing there, or nothing that is read; writing says what is wrong
    if out.is_file() and not ours:
        raise UserError(f"{out} is there and is no report. Give another --out, or --force to write over it.")


def _page(run: Run, outcome: Outcome, dataset: Dataset, stories: Stories, picked: list[dict[str, Any]]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evolve.reports", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "number": _number,
        "count": lambda n: f"{n:,}",
        "words": lambda name: name.replace("_", " "),
    }
    pairs, at = points(run, outcome)
    data = {
        "points": pairs,
        "selections": selections(run, outcome.ranking, at),
        "metric": run.recipe.selection.metric,
        "alpha": run.recipe.selection.alpha,
        "distributions": distributions(run, outcome),
        "stories": picked,
        "objectives": stories.objective_names,
    }
    drift = kept_drift(run.folder)
    return environment.get_template("page.html").render(
        manifest=dataset.manifest,
        generator=GENERATOR,
        title=f"{run.recipe.name}, iteration {run.iteration}",
        strategies=strategies(run, outcome),
        drift=drift_table(drift),
        drift_dropped=dropped_lines(drift),
        n_stories=len(picked),
        n_prompts=len(stories.ids),
        n_points=len(at),
        data=as_script(data),
        style=_asset("page.css"),
        scripts=[_asset(name) for name in SCRIPTS],
    )


def as_script(data: Any) -> str:
    """JSON that may stand in a script element whatever its texts are: no tag or comment can begin in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _picked(stories: Stories, run: Run, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Stories up to STORY_BUDGET, by turns of: the best of the ranking, the rest of the ranked, those without a pair,
    and X; of each an even sample if all are too many. A rewrite comes after its parent.
    """
    ranking = outcome.ranking
    by_rank = [ranking.pairs.column("prompt_id")[i] for i in ranking.order]
    best = ranking.selected.column("prompt_id")
    taken = set(best)
    rest = _spread([one for one in by_rank if one not in taken])
    paired = {*outcome.dataset.column("prompt_id"), *outcome.additional.column("prompt_id")}
    without = _spread([one for one in stories.ids if one not in paired])
    turns = chain.from_iterable(zip_longest(best, rest, without, _spread(list(run.prompts))))
    parents = dict(zip(outcome.evolved.ids, outcome.evolved.parent_ids, strict=True))
    wanted = chain.from_iterable((parents.get(one), one) for one in turns if one)
    left = STORY_BUDGET
    for prompt_id in dict.fromkeys(one for one in wanted if one):
        story = _shortened(stories.of(prompt_id))
        left -= len(as_script(story).encode("utf-8", "backslashreplace"))
        if left < 0:
            return
        yield story


def _spread(ids: list[str]) -> list[str]:
    """The same ids so that any first part of them is spread over the whole: by halves of the binary order."""
    width = max(1, (len(ids) - 1).bit_length())
    return [ids[i] for i in sorted(range(len(ids)), key=lambda i: int(f"{i:0{width}b}"[::-1], 2))]


def _shortened(value: Any) -> Any:
    """Texts to LONGEST characters and floats to 6 digits, all through a story."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]} … ({len(value) - LONGEST:,} more characters)"
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return [_shortened(one) for one in value] if isinstance(value, list) else value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _asset(name: str) -> str:
    text = resources.files("evolve.reports").joinpath("page", name).read_text(encoding="utf-8")
    return text.partition("//# sourceMappingURL")[0]
