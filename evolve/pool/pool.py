"""The pool: append-only tables of everything a model has computed. The only state that a run has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evolve.pool.files import write_file
from evolve.pool.lock import exclusive, is_held
from evolve.pool.schemas import SCHEMAS
from evolve.pool.table import Table


class Pool:
    """The tables under one folder. Read by anyone at any time; appended to by who holds the table's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="pool-writer")
        self._tables: dict[Path, Table] = {}

    def _table(self, name: str, part_of: str = "") -> Table:
        folder = self.folder / name / part_of
        if folder not in self._tables:
            self._tables[folder] = Table(folder, SCHEMAS[name], self._writer)
        return self._tables[folder]

    @property
    def prompts(self) -> Table:
        return self._table("prompts")

    @property
    def responses(self) -> Table:
        return self._table("responses")

    def rewards(self, reward_id: str) -> Table:
        """The rewards of one model: models that score side by side never touch each other's parts."""
        return self._table("rewards", reward_id)

    def reward_ids(self) -> list[str]:
        """The reward models that have scored anything."""
        return sorted(path.name for path in (self.folder / "rewards").glob("*") if path.is_dir())

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Be the one process that appends prompts and responses. Raises `Busy` if there is another."""
        with exclusive(self.folder / "sampler.lock", f"The run {self.folder.parent}"):
            self.prompts.own()
            self.responses.own()
            yield

    @contextmanager
    def scoring(self, reward_id: str) -> Iterator[None]:
        """Be the one process that appends rewards of this model. Raises `Busy` if there is another."""
        with exclusive(self.folder / "rewards" / f"{reward_id}.lock", f"The rewards of {self.folder.parent}"):
            self.rewards(reward_id).own()
            yield

    def is_growing(self) -> bool:
        """Whether some process appends prompts and responses at this moment."""
        return is_held(self.folder / "sampler.lock")

    def describe(self, kind: str, identity: str, description: dict[str, Any]) -> None:
        """Keep what an id in a row stands for, as JSON: the pool explains itself."""
        path = self.folder / "settings" / f"{kind}-{identity}.json"
        if not self.description(kind, identity):
            write_file(path, (json.dumps(description, indent=2, ensure_ascii=False, default=str) + "\n").encode())

    def description(self, kind: str, identity: str) -> dict[str, Any]:
        """What `describe` kept; nothing where it is not there or damaged, and then it is described again."""
        try:
            return dict(json.loads((self.folder / "settings" / f"{kind}-{identity}.json").read_bytes()))
        except (FileNotFoundError, ValueError):
            return {}

    def flush(self) -> None:
        for table in self._tables.values():
            table.flush()

    def flush_if_old(self) -> None:
        for table in self._tables.values():
            table.flush_if_old()

    def close(self) -> None:
        self._writer.shutdown(wait=True)
