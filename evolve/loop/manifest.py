"""loop.json: time and tokens of each phase of each iteration, with what came of it; made anew from the run's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolve.datasets.folder import find_dataset, read_manifest
from evolve.loop.trained import trained_of
from evolve.pool.files import arrow_file
from evolve.pool.json_files import write_json
from evolve.recipe import stored
from evolve.reports.drift import kept_drift
from evolve.run import Run
from prompts.errors import UserError

NAME = "loop.json"


def write_manifest(folder: Path) -> None:
    """Write the loop's manifest anew."""
    drift = {one["iteration"]: one for one in kept_drift(folder)}
    told = [_iteration(folder, one) | {"drift": drift.get(one)} for one in stored.iterations(folder)]
    write_json(folder / NAME, {"iterations": told})


def _iteration(folder: Path, iteration: int) -> dict[str, Any]:
    recipe = stored.stored_recipe(folder, iteration, {})
    said: dict[str, Any] = {"iteration": iteration, "policy": recipe.policy.model, "phases": {}}
    try:
        dataset = find_dataset(Run(recipe, folder, iteration, view_only=True))
    except UserError:  # not made yet
        return said
    manifest, trained = read_manifest(dataset), trained_of(folder, iteration)
    said |= {"dataset": os.path.relpath(dataset, folder), "memory_mib": manifest["memory_mib"]}
    said["phases"] = dict(manifest["stages"])
    if trained is not None:
        said["checkpoint"] = os.path.relpath(trained.checkpoint, folder)
        said["phases"] |= {"training": trained.figures} if trained.figures else {}
    return said


def tokens_of(dataset: Path) -> int:
    """Tokens of the responses that a training set holds, of both sides, prompts not counted."""
    columns = ["n_tokens_chosen", "n_tokens_rejected"]
    table = pq.read_table(arrow_file(dataset / "train.parquet"), columns=columns)
    return sum(pc.sum(table[name]).as_py() or 0 for name in columns)
