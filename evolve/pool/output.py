"""Files that a user has named with --out: whole or not at all, never over a run's own, never in place of a device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evolve.pool.files import not_written, whole_file
from prompts.errors import UserError

_ITERATION = re.compile(r"iteration-\d+")
OF_A_RUN = ("recipe.json", "exports.json")
DATASET = ("train.parquet", "selected.parquet", "manifest.json", "README.md")


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. A regular file appears at `path` when the block ends, or where a link at `path` points to;
    a device or pipe that is there is written to and stays what it is. Raises `UserError`.
    """
    refuse_own(path)
    try:
        target = None if is_special(path) else path.resolve()
    except (OSError, RuntimeError) as error:
        raise _cannot(path, error) from error
    if target is not None:
        with whole_file(target) as file:
            yield file
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise not_written(path, error) from error


def refuse_own(path: Path) -> None:
    """Raise `UserError` if `path` is a folder, or a file of a run: in its pool, its recipe, a dataset."""
    try:
        target, is_folder = path.resolve(), path.is_dir()
        owner = _owner(target)
    except (OSError, RuntimeError) as error:
        raise _cannot(path, error) from error
    if is_folder:
        raise UserError(f"--out {path} is a folder: it can't be written. Expected the name of a file.")
    if owner:
        raise UserError(f"--out {path} is {owner}: it can't be written over. Give a name outside the run.")


def _owner(target: Path) -> str:
    """Whose file `target` is, in words, if it is a run's."""
    for folder in target.parents:
        if folder.name == "pool" and any(folder.parent.glob("iteration-*/recipe.json")):
            return f"in the pool of the run {folder.parent}"
    if target.name in OF_A_RUN and any(target.parent.glob("iteration-*/recipe.json")):
        return f"a file of the run {target.parent}"
    if _ITERATION.fullmatch(target.parent.name) and target.name == "recipe.json":
        return "the recipe that a run keeps"
    if target.name in DATASET and (target.parent / "manifest.json").exists():
        return f"a file of the dataset {target.parent}"
    return ""


def is_special(path: Path) -> bool:
    """Whether something is there that is no regular file; or a stream of this process, whatever it is bound to."""
    stream = str(path.absolute()).startswith(("/dev/std", "/dev/fd/", "/proc/"))
    return path.exists() and (stream or not path.is_file())


def _cannot(path: Path, error: Exception) -> UserError:
    return not_written(path, error) if isinstance(error, OSError) else UserError(f"--out {path}: {error}.")
