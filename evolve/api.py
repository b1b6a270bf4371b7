"""The program as a library: whole runs and views of them in a line each, and the datasets that come out.

from evolve import grow, load_recipe

dataset = grow(load_recipe("default", {"prompts.limit": 20}), "runs/first")
for pair in dataset.pairs(): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evolve.datasets.folder import read_manifest, write_outcome
from evolve.recipe.sections import Recipe
from evolve.recipe.stored import last_iteration, stored_recipe
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk: `folder` has train.parquet, selected.parquet, manifest.json and the card, README.md."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the dataset was made of, and where every row went."""
        return read_manifest(self.folder)

    def pairs(self, name: str = "train") -> Iterator[dict[str, Any]]:
        """The rows of train.parquet, or of `name`.parquet ("selected": D'_k alone), in order.

        `prompt`, `chosen` and `rejected` are lists of {role, content}; the README lists the other columns.
        """
        import pyarrow.parquet as pq

        from evolve.pool.files import arrow_file

        for batch in pq.ParquetFile(arrow_file(self.folder / f"{name}.parquet")).iter_batches(1_000):
            yield from batch.to_pylist()


def grow(recipe: Recipe, folder: str | Path, *, iteration: int = 1) -> Dataset:
    """Do what `evolve run` does: compute what the run in `folder` lacks, select, write the dataset.

    Killed at any moment, the same call goes on from there. Raises `UserError` for whatever a user can mend.
    """
    return execute(recipe, Path(folder), iteration, view_only=False)[2]


def select(folder: str | Path, changes: dict[str, Any] | None = None, *, iteration: int | None = None) -> Dataset:
    """Do what `evolve select` does: select anew from the rows of the run in `folder`, with no model.

    `changes` are recipe keys with their values, such as {"selection.metric": "eva"}. Raises `UserError` where rows are
    missing.
    """
    folder = Path(folder)
    iteration = last_iteration(folder) if iteration is None else iteration
    recipe = stored_recipe(folder, iteration, changes or {})
    return execute(recipe, folder, iteration, view_only=True)[2]


def open_dataset(folder: str | Path) -> Dataset:
    """A dataset that was made before. Raises `UserError` if there is none, or none that is whole, in `folder`."""
    dataset = Dataset(Path(folder))
    if not dataset.manifest:
        raise UserError(f"No dataset at {folder}: expected train.parquet and manifest.json, as `evolve run` writes.")
    return dataset


def execute(
    recipe: Recipe, folder: Path, iteration: int, *, view_only: bool, defaults: Recipe | None = None
) -> tuple[Run, Outcome, Dataset]:
    """Run the recipe's algorithm and write its dataset; what the commands do, with all that a summary tells of.

    `defaults`: the recipe whose algorithm and selection later views take, where `recipe` differs for this once.
    """
    run = Run(recipe, folder, iteration, view_only, defaults=defaults)
    outcome = run.execute()
    written, _ = write_outcome(run, outcome)
    return run, outcome, Dataset(written)
