"""Where a dataset lies and what stands beside it: parquet, manifest and card."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from evolve.datasets.card import card
from evolve.datasets.manifest import manifest, reward_errors
from evolve.datasets.train import Origins, Texts, write_sets
from evolve.datasets.weights import weights_of
from evolve.pool.files import UNFINISHED, not_read, told, write_file
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.pool.lookup import Lookup
from evolve.recipe.sections import Recipe, Selection
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts import content_id
from prompts.display import redacted
from prompts.errors import UserError
from selection import METRICS, metric_of

LONGEST = 150  # characters of a folder's name, before the digests
METRIC_INPUTS = {name: metric_of(name).inputs for name in METRICS}
FILES = ("train.parquet", "selected.parquet", "README.md", "manifest.json")  # a dataset, in the order of their coming


def metric_folder(selection: Selection) -> str:
    """The folder of one way to select: the metric and whatever else differs from the paper's default.

    Names of keys that came later are given with their values; what would be longer than a folder's name should be ends
    in a digest of all of it.
    """
    words: list[str] = [selection.metric.replace(":", "_")]
    own = ("alpha",) if "alpha" in selection.differing else ()  # whose inputs are not known without its module
    if any("alpha" in METRIC_INPUTS.get(one, own) for one in (selection.metric, selection.weight) if one is not None):
        words.append(f"alpha{selection.alpha}" if selection.alpha == "auto" else f"alpha{selection.alpha:g}")
    words.append("k" + str(selection.k).replace("%", "pct"))
    if selection.ranked != "evolved":
        words.append(selection.ranked)
    if selection.guard != "degenerate":
        words.append("guard_" + (selection.guard if isinstance(selection.guard, str) else "+".join(selection.guard)))
    if selection.pair_rule != "max_min":
        words.append(selection.pair_rule)
    if selection.margin:  # every rule obeys it
        words.append(f"margin{selection.margin:g}")
    if selection.allow_cut_off:
        words.append("allow_cut_off")
    if selection.with_thoughts:
        words.append("with_thoughts")
    words += [f"{key}_{_word(value)}" for key, value in selection.differing.items() if key not in _NAMED]
    name = "-".join(words)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{content_id('selection', selection.differing)[:8]}"


_NAMED = {"metric", "alpha", "k", "ranked", "guard", "pair_rule", "margin", "allow_cut_off", "with_thoughts"}


def _word(value: object) -> str:
    if isinstance(value, dict):
        return "+".join(f"{name}{_word(one)}" for name, one in sorted(value.items()))
    text = (
        repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
    )  # all digits: a threshold has many
    return re.sub(r"[^A-Za-z0-9.+_]", "_", text.replace("%", "pct"))


def dataset_folder(run_folder: Path, iteration: int, recipe: Recipe) -> Path:
    """runs/NAME/iteration-T/ALGORITHM/METRIC-..."""
    return run_folder / f"iteration-{iteration}" / recipe.algorithm / metric_folder(recipe.selection)


def folder_for(run: Run) -> Path:
    """Where this run writes: beside, not over, a dataset of the same selection from another policy, reward or X."""
    plain = dataset_folder(run.folder, run.iteration, run.recipe)
    there = read_manifest(plain)
    same = not there or (
        there.get("made_of") == run.resolved.made_of and _code_of(there) == code_of(run.recipe.selection)
    )
    return plain if same else plain.with_name(f"{plain.name}-{_identity(run)[:6]}")


def code_of(selection: Selection) -> list[str]:
    """The identities of the user's own code that a selection runs: of the metric's, of the weight's."""
    names = [name for name in (selection.metric, selection.weight) if name is not None and name not in METRICS]
    return [metric_of(name).identity for name in names]


def _code_of(manifest: dict[str, Any]) -> list[str]:
    return list(manifest.get("own_code") or [])


def _identity(run: Run) -> str:
    """What else there is to a dataset than its folder's name: what its rows are made of, and own code that selects."""
    code = code_of(run.recipe.selection)
    return content_id("dataset", run.resolved.made_of, code) if code else run.resolved.made_of


def find_dataset(run: Run) -> Path:
    """The folder of the dataset that is made of what this run has, selected as its recipe says. Raises `UserError` if
    there is none.
    """
    plain = dataset_folder(run.folder, run.iteration, run.recipe)
    others = []
    for folder in (plain, *sorted(plain.parent.glob(f"{plain.name}-??????"))):
        there = read_manifest(folder)
        if made_of := there.get("made_of"):
            if made_of == run.resolved.made_of and _code_of(there) == code_of(run.recipe.selection):
                return folder
            others.append(folder.name)
    other = f" ({', '.join(others)}: of other models, prompts or settings of sampling.)" if others else ""
    raise UserError(
        f"No dataset of this recipe at {plain}.{other} Make it first: `evolve select` with the same options."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset, empty if the dataset is not there, not whole, or its manifest is damaged. Raises
    `UserError` where it may not be read.
    """
    path = folder / "manifest.json"
    try:
        return read_json(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, Damaged):
        return {}
    except OSError as error:
        raise not_read(path, error) from error


def write_outcome(run: Run, outcome: Outcome) -> tuple[Path, dict[str, Any]]:
    """Write the dataset of an iteration: all of it beside, then each file into its place, the manifest last.

    So what was there stays until the new one is whole, a folder with a manifest is whole, and two commands that write
    the same dataset at once end well: what they write is the same.
    """
    folder = folder_for(run)
    run.pool.check_is_there()
    errors = reward_errors(run, outcome)
    weights = weights_of(run, outcome) if run.recipe.selection.weight else None
    run.__dict__.pop("responses", None)  # nothing that follows reads them, and it needs the memory
    texts = Texts(Lookup(run.pool.prompts, "id"), run.texts, run.recipe.selection.with_thoughts)
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".", suffix=UNFINISHED, dir=folder))
    try:
        with run.stages.timed("write", run.tally):
            write_sets(beside, outcome, Origins(outcome.evolved), run.iteration, texts, weights)
        content = manifest(run, outcome, errors) | {"own_code": code_of(run.recipe.selection)}
        content = redacted(content)  # recipes take no secrets; models' own files may hold some
        write_file(beside / "README.md", card(content, has_selected=len(outcome.selected) > 0).encode())
        write_json(beside / "manifest.json", content)
        with told(folder):
            for name in FILES:
                (beside / name).replace(folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder, content
