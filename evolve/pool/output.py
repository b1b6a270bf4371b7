"""Files that a user has named with --out: whole or not at all, never in a run's folder, never in place of a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evolve.pool.files import not_written, whole_file
from prompts.errors import UserError

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
    """Raise `UserError` if `path` is a folder, lies anywhere in the folder of a run, or is a file of a dataset. Links
    and `..` are followed first.
    """
    try:
        target, is_folder = path.resolve(), path.is_dir()
        owner = _owner(target)
    except (OSError, RuntimeError) as error:
        raise _cannot(path, error) from error
    if is_folder:
        raise UserError(f"--out {path} is a folder: it can't be written. Expected the name of a file.")
    if owner:
        raise UserError(f"--out {path} is {owner}: it can't be written there. Give a name outside the folder of a run.")


def refuse_foreign(path: Path, is_ours: Callable[[], bool], *, force: bool) -> None:
    """Raise `UserError` if something is written at `path` already, unless `is_ours`, or `force`."""
    try:
        there = path.is_file() and path.stat().st_size > 0
        taken = there and not force and not is_ours()
    except OSError as error:
        raise not_written(path, error) from error
    if taken:
        raise UserError(f"{path} is there, and is not what would be written anew. Give another --out, or --force.")


def _owner(target: Path) -> str:
    """Whose file `target` is, in words, if it is a run's."""
    for folder in target.parents:
        if _is_run(folder):
            return f"in the folder of the run {folder}"
    if target.name in DATASET and (target.parent / "manifest.json").exists():
        return f"a file of the dataset {target.parent}"
    return ""


def _is_run(folder: Path) -> bool:
    """Whether a run has begun in `folder`, were it that its recipe is lost, or not written yet."""
    return (folder / "pool" / "settings").is_dir() or any(folder.glob("iteration-*/recipe.json"))


def is_special(path: Path) -> bool:
    """Whether something is there that is no regular file; or a stream of this process, whatever it is bound to."""
    stream = str(path.absolute()).startswith(("/dev/std", "/dev/fd/", "/proc/"))
    return path.exists() and (stream or not path.is_file())


def _cannot(path: Path, error: Exception) -> UserError:
    return not_written(path, error) if isinstance(error, OSError) else UserError(f"--out {path}: {error}.")
