"""Where a dataset lies and what stands beside it: parquet, manifest and card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolve.datasets.card import card
from evolve.datasets.manifest import manifest
from evolve.datasets.train import write_pairs
from evolve.pool.files import write_file
from evolve.pool.lookup import Lookup
from evolve.recipe.sections import Recipe, Selection
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.errors import UserError


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
    """The manifest of a dataset, empty if the dataset is not there or not whole."""
    try:
        return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_outcome(run: Run, outcome: Outcome) -> tuple[Path, dict[str, Any]]:
    """Write the dataset of an iteration; the manifest last, so a folder with a manifest is whole."""
    folder = folder_for(run)
    (folder / "manifest.json").unlink(missing_ok=True)
    prompts = Lookup(run.pool.prompts, "id")
    with run.stages.timed("write", run.tally):
        for name, pairs in (("train", outcome.train), ("selected", outcome.selected)):
            write_pairs(folder / f"{name}.parquet", pairs, outcome, run.iteration, prompts, run.texts)
    content = manifest(run, outcome)
    write_file(folder / "README.md", card(content).encode())
    write_file(folder / "manifest.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    return folder, content
