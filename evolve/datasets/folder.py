"""Where a dataset lies and what stands beside it: parquet, manifest and card."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from evolve.datasets.card import card
from evolve.datasets.manifest import manifest
from evolve.datasets.train import Texts, write_pairs
from evolve.pool.files import UNFINISHED, told, write_file
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.pool.lookup import Lookup
from evolve.recipe.sections import Recipe, Selection
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.errors import UserError

FILES = ("train.parquet", "selected.parquet", "README.md", "manifest.json")  # a dataset, in the order of their coming


def metric_folder(selection: Selection) -> str:
    """The folder of one way to select: the metric and whatever else differs from the paper's default."""
    words: list[str] = [selection.metric]
    if selection.metric == "map":
        words.append(f"alpha{selection.alpha:g}")
    words.append("k" + str(selection.k).replace("%", "pct"))
    if selection.ranked != "evolved":
        words.append(selection.ranked)
    if selection.guard != "degenerate":
        words.append(f"guard_{selection.guard}")
    if selection.pair_rule != "max_min":
        words.append(selection.pair_rule)
    if selection.margin:  # every rule obeys it
        words.append(f"margin{selection.margin:g}")
    if selection.allow_cut_off:
        words.append("allow_cut_off")
    if selection.with_thoughts:
        words.append("with_thoughts")
    return "-".join(words)


def dataset_folder(run_folder: Path, iteration: int, recipe: Recipe) -> Path:
    """runs/NAME/iteration-T/ALGORITHM/METRIC-..."""
    return run_folder / f"iteration-{iteration}" / recipe.algorithm / metric_folder(recipe.selection)


def folder_for(run: Run) -> Path:
    """Where this run writes: beside, not over, a dataset of the same selection from another policy, reward or X."""
    plain = dataset_folder(run.folder, run.iteration, run.recipe)
    there = read_manifest(plain)
    same = not there or there.get("made_of") == run.resolved.made_of
    return plain if same else plain.with_name(f"{plain.name}-{run.resolved.made_of[:6]}")


def find_dataset(run: Run) -> Path:
    """The folder of the dataset that is made of what this run has, selected as its recipe says. Raises `UserError` if
    there is none.
    """
    plain = dataset_folder(run.folder, run.iteration, run.recipe)
    others = []
    for folder in (plain, *sorted(plain.parent.glob(f"{plain.name}-??????"))):
        if made_of := read_manifest(folder).get("made_of"):
            if made_of == run.resolved.made_of:
                return folder
            others.append(folder.name)
    other = f" ({', '.join(others)}: of other models, prompts or settings of sampling.)" if others else ""
    raise UserError(
        f"No dataset of this recipe at {plain}.{other} Make it first: `evolve select` with the same options."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset, empty if the dataset is not there, not whole, or its manifest is damaged."""
    try:
        return read_json(folder / "manifest.json")
    except (FileNotFoundError, Damaged):
        return {}


def write_outcome(run: Run, outcome: Outcome) -> tuple[Path, dict[str, Any]]:
    """Write the dataset of an iteration: all of it beside, then each file into its place, the manifest last.

    So what was there stays until the new one is whole, a folder with a manifest is whole, and two commands that write
    the same dataset at once end well: what they write is the same.
    """
    folder = folder_for(run)
    run.pool.check_is_there()
    texts = Texts(Lookup(run.pool.prompts, "id"), run.texts, run.recipe.selection.with_thoughts)
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".", suffix=UNFINISHED, dir=folder))
    try:
        with run.stages.timed("write", run.tally):
            for name, pairs in (("train", outcome.train), ("selected", outcome.selected)):
                write_pairs(beside / f"{name}.parquet", pairs, outcome, run.iteration, texts)
        content = manifest(run, outcome)
        write_file(beside / "README.md", card(content, has_selected=len(outcome.selected) > 0).encode())
        write_json(beside / "manifest.json", content)
        with told(folder):
            for name in FILES:
                (beside / name).replace(folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder, content
