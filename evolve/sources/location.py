"""Where a source lies: the one resolution of its path, for reading it, for its identity and for the stored recipe."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evolve.sources.lines import READERS
from evolve.sources.opening import kind_of, stem_of
from evolve.sources.splits import of_split, says_split
from prompts.display import redacted
from prompts.errors import UserError

log = logging.getLogger(__name__)

TABLES = (".parquet", ".arrow")
KINDS = (*TABLES, *READERS)
_NOTES = (".json", ".txt")  # descriptions are written in these
_DESCRIPTIONS = frozenset(
    "readme license licence notice citation changelog dataset_info dataset_infos dataset_dict state metadata".split()
)
_MANY = 100_000  # files and folders below one folder: a disk, and no folder of data


@dataclass(frozen=True)
class Location:
    """The files of a source in the order in which they are read, all of one kind; none for a dataset of the Hub."""

    files: tuple[Path, ...] = ()
    kind: str = ""


def locate(source: str, split: str | None = None) -> Location:
    """Find the files that `source` and `split` stand for. Raises `UserError` for what is neither files nor a name that
    a dataset of the Hub can have.
    """
    if not source.strip() or "\0" in source:
        raise UserError(f"{_short(repr(source))} is no path. Expected a file, a folder or a Hub dataset's name.")
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return _of_folder(path, split)
        if path.is_file():
            return _of_one(path, split)
        if path.exists():
            raise UserError(f"{source} is no regular file. Expected {', '.join(KINDS)}, or a folder of such files.")
    except (OSError, RuntimeError) as error:  # RuntimeError: no such home
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{_short(source)} can't be read ({why}). Check the path and its owner.") from error
    if _looks_like_a_path(source, path):
        raise UserError(absent(source))
    return Location()


def absolute(source: str) -> str:
    """A path from the root, also of a file that is gone by now; a dataset of the Hub, and what is no path, as it is."""
    try:
        path = Path(source).expanduser()
        is_path = bool(source.strip()) and (path.exists() or _looks_like_a_path(source, path))
        return str(path.resolve()) if is_path and "://" not in source else source
    except (OSError, RuntimeError, ValueError):
        return source  # opening it says why


def absent(source: str) -> str:
    """What is said of a source that is neither here nor a name of the Hub."""
    if "://" in source:
        return f"{_short(redacted(source))} is an address. Fetch the file and name it, or name a Hub dataset."
    return f"No file at {_short(source)}. Expected {', '.join(KINDS)}, a folder of such files, or a Hub dataset's name."


def _looks_like_a_path(source: str, path: Path) -> bool:
    return path.is_absolute() or source.startswith((".", "~")) or "://" in source or kind_of(path) in KINDS


def _short(source: str) -> str:
    return source if len(source) < 200 else f"{source[:100]}... ({len(source):,} characters)"


def _of_one(path: Path, split: str | None) -> Location:
    kind = kind_of(path)
    if kind not in KINDS:
        ending = f"ends in {path.suffix}" if path.suffix else "has no ending"
        raise UserError(f"{path} {ending}. Expected one of {', '.join(KINDS)}; convert it first.")
    if split is not None:
        of_split([path], path.parent, split, path)
    return Location((path,), kind)


def _of_folder(folder: Path, split: str | None) -> Location:
    """The files of one split below a folder. Beside other kinds .json and .txt count only where their names say a
    split: descriptions are written in them.
    """
    if folder.resolve() == folder.resolve().parent:
        raise UserError(f"{folder} is the whole disk. Expected {', '.join(KINDS)}, or a folder of such files.")
    files = [file for file in _below(folder) if _is_data(file)]
    if any(kind_of(file) not in _NOTES for file in files):
        notes = [file for file in files if kind_of(file) in _NOTES and not says_split(file)]
        files = [file for file in files if file not in set(notes)]
        if notes:
            log.info("%s: not read: %s", folder, ", ".join(str(file.relative_to(folder)) for file in notes[:12]))
    if not files:
        raise UserError(f"{folder} has no {', '.join(KINDS)}. Expected a folder of such files, or name one.")
    chosen = of_split(files, folder, split)
    kinds = sorted({kind_of(file) for file in chosen})
    if len(kinds) > 1:
        raise UserError(
            f"{folder} has files of {' and '.join(kinds)}. Expected files of one kind: name one file, or a folder with "
            "one kind."
        )
    return Location(tuple(chosen), kinds[0])


def _below(folder: Path) -> Iterator[Path]:
    """All files below a folder, in the order of their paths; links are followed, none twice. Raises OSError for a
    folder that may not be read.
    """

    def fail(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    found: list[Path] = []
    n = 0
    for here, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(here)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real not in seen:
            found += (Path(here, name) for name in names if not name.startswith("."))
        seen.add(real)
        if (n := n + len(names) + 1) > _MANY:
            raise UserError(f"{folder} has more than {_MANY:,} files below it. Expected a folder of data.")
    return iter(sorted(found))


def _is_data(file: Path) -> bool:
    kind = kind_of(file)
    if kind not in KINDS or (kind in _NOTES and stem_of(file).lower() in _DESCRIPTIONS):
        return False
    is_cache = kind == ".arrow" and file.name.startswith("cache-")  # of `datasets`: rows that were mapped
    return not is_cache and file.is_file()
