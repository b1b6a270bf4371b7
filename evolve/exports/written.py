"""What a run has exported, so that an export is written over with all that was beside it, and nobody else's file is."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evolve.exports.dataset_info import Entries
from evolve.pool.files import not_written, write_file
from evolve.pool.output import refuse_own
from prompts.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Earlier:
    """The export that a data file had: all its files with their digests, and its entries of dataset_info.json."""

    files: dict[str, str] = field(default_factory=dict)
    entries: Entries = field(default_factory=dict)


class Written:
    """The exports of a run, by the path of their data file; kept in exports.json of the run's folder."""

    def __init__(self, run_folder: Path) -> None:
        self._path = run_folder / "exports.json"

    def check(self, path: Path, force: bool) -> None:
        """Raise `UserError` if `path` is a run's own file; without `force` also if a file is there that this run has
        not exported, or that was changed since.
        """
        refuse_own(path)
        try:
            there = path.is_file() and path.stat().st_size > 0
            ours = there and not force and _digest(path) in self._digests(path)
        except OSError as error:
            raise not_written(path, error) from error
        if there and not force and not ours:
            raise UserError(
                f"{path} is there, and is not what this run has exported. Give another --out, or --force to write over "
                "it."
            )

    def earlier(self, data: Path) -> Earlier:
        """What was last exported to `data`; nothing where that is not known."""
        try:
            found = self._exports()[os.path.realpath(data)]
            return Earlier(dict(found["files"]), {name: dict(entry) for name, entry in found["entries"].items()})
        except (KeyError, TypeError, ValueError, AttributeError):
            return Earlier()

    def keep(self, data: Path, files: Iterable[Path], entries: Entries, earlier: Earlier | None = None) -> None:
        """Remember `files` as they are now for the export to `data`, and `earlier`, while that is not replaced as a
        whole. A run's folder that can't be written to only costs the memory of it.
        """
        earlier = earlier or Earlier()
        try:
            digests = {os.path.realpath(path): _digest(path) for path in files if path.is_file()}  # no device, no pipe
            if digests:
                digests, entries = earlier.files | digests, earlier.entries | entries
                exports = self._exports() | {os.path.realpath(data): {"files": digests, "entries": entries}}
                write_file(self._path, (json.dumps(exports, indent=1) + "\n").encode())
        except (OSError, UserError) as error:
            log.warning("%s can't be kept (%s): the next export to %s needs --force.", self._path, error, data)

    def _digests(self, path: Path) -> set[str]:
        """What this run has written to `path`, by its exports."""
        exports, name = self._exports(), os.path.realpath(path)
        files = [one.get("files") for one in exports.values() if isinstance(one, dict)]
        return {str(of[name]) for of in files if isinstance(of, dict) and name in of}

    def _exports(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}


def remove_stale(earlier: Earlier, files: Iterable[Path]) -> list[str]:
    """Remove what an earlier export has written and the one of `files` has not; returns lines that say so. A file that
    was changed since, or was written by anyone else, stays.
    """
    now, said = {os.path.realpath(path) for path in files}, []
    for name, digest in earlier.files.items():
        path = Path(name)
        if name in now or not path.is_file():
            continue
        try:
            if _digest(path) != digest:
                said.append(f"{path} is of an earlier export, and stays: it was changed since")
                continue
            path.unlink()
            said.append(f"removed {path}: of an earlier export")
        except OSError as error:
            said.append(f"{path} is of an earlier export, and stays: {error}")
    return said


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
