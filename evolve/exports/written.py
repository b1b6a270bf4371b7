"""What a run has exported, so that an export is written over and a file of anyone else's is not."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from evolve.pool.files import not_written, write_file
from evolve.pool.output import refuse_own
from prompts.errors import UserError

log = logging.getLogger(__name__)


class Written:
    """The digests of the files that a run has exported, by path; kept in exports.json of the run's folder."""

    def __init__(self, run_folder: Path) -> None:
        self._path = run_folder / "exports.json"

    def check(self, path: Path, force: bool) -> None:
        """Raise `UserError` if `path` is a run's own file; without `force` also if a file is there that this run has
        not exported, or that was changed since.
        """
        refuse_own(path)
        try:
            there = path.is_file() and path.stat().st_size > 0
            ours = there and not force and self._digests().get(str(path.resolve())) == _digest(path)
        except OSError as error:
            raise not_written(path, error) from error
        if there and not force and not ours:
            raise UserError(
                f"{path} is there, and is not what this run has exported. Give another --out, or --force to write over "
                "it."
            )

    def keep(self, path: Path) -> None:
        """Remember `path` as it is now. A run's folder that can't be written to only costs the memory of it."""
        if not path.is_file():
            return  # a device or a pipe
        try:
            digests = self._digests() | {str(path.resolve()): _digest(path)}
            write_file(self._path, (json.dumps(digests, indent=1) + "\n").encode())
        except (OSError, UserError) as error:
            log.warning("%s can't be kept (%s): the next export to %s needs --force.", self._path, error, path)

    def _digests(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
