"""The pool: append-only tables of everything a model has computed. The only state that a run has.

A row becomes durable after what it stands on: prompts, then responses, then rewards, by one writer in that order. So
no crash leaves a response without its prompt; where a lost or damaged part does, readers pass over it, and the next run
makes what is missing again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evolve.pool.compaction import compact
from evolve.pool.files import not_read, told, unfinished_in
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.pool.lock import exclusive, is_held
from evolve.pool.schemas import SCHEMAS
from evolve.pool.table import Table
from evolve.pool.writer import Writer
from prompts.errors import UserError

_ID = re.compile(r"[0-9a-z_]{1,64}")


class Pool:
    """The tables under one folder. Read by anyone at any time; appended to by who holds the table's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer = Writer()
        self._tables: dict[Path, Table] = {}

    def _table(self, name: str, part_of: str = "") -> Table:
        folder = self.folder / name / part_of
        if folder not in self._tables:
            self._tables[folder] = Table(folder, SCHEMAS[name], self.flush_if_due)
        return self._tables[folder]

    @property
    def prompts(self) -> Table:
        return self._table("prompts")

    def responses(self, sampler_id: str) -> Table:
        """The responses of one sampler: what another one said need not be read."""
        return self._table("responses", sampler_id)

    def rewards(self, reward_id: str) -> Table:
        """The rewards of one model: models that score side by side never touch each other's parts."""
        return self._table("rewards", reward_id)

    def logprobs(self, reference_id: str) -> Table:
        """The log-probabilities that one reference model gives to responses."""
        return self._table("logprobs", reference_id)

    def judgements(self, judge_id: str) -> Table:
        """What one judge says of pairs of responses."""
        return self._table("judgements", judge_id)

    def sampler_ids(self) -> list[str]:
        """The samplers that have responses."""
        return self._folders("responses")

    def reward_ids(self) -> list[str]:
        """The reward models that have scored anything."""
        return self._folders("rewards")

    def reference_ids(self) -> list[str]:
        """The reference models that have given log-probabilities."""
        return self._folders("logprobs")

    def judge_ids(self) -> list[str]:
        """The judges that have compared any responses."""
        return self._folders("judgements")

    def _folders(self, name: str) -> list[str]:
        found = (self.folder / name).glob("*")
        return sorted(path.name for path in found if path.is_dir() and _ID.fullmatch(path.name))

    @contextmanager
    def growing(self, sampler_id: str) -> Iterator[None]:
        """Be the one process that appends prompts and responses. Raises `Busy` if there is another.

        Where there are many small parts in the end, they are merged.
        """
        with told(self.folder):
            (self.folder / "settings").mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / "sampler.lock", f"The run {self.folder.parent}"):
            (self.folder / "responses").mkdir(exist_ok=True)
            (self.folder / "rewards").mkdir(exist_ok=True)
            for path in unfinished_in(self.folder / "settings"):
                path.unlink(missing_ok=True)
            for table in (self.prompts, self.responses(sampler_id)):
                table.own()
            yield
            self.flush()
            for table in (self.prompts, self.responses(sampler_id)):
                compact(table)

    @contextmanager
    def scoring(self, reward_id: str) -> Iterator[None]:
        """Be the one process that appends rewards of this model. Raises `Busy` if there is another."""
        with self._appending(self.rewards(reward_id), "rewards"):
            yield

    @contextmanager
    def referring(self, reference_id: str) -> Iterator[None]:
        """Be the one process that appends this model's log-probabilities. Raises `Busy` if there is another."""
        with self._appending(self.logprobs(reference_id), "log-probabilities"):
            yield

    @contextmanager
    def judging(self, judge_id: str) -> Iterator[None]:
        """Be the one process that appends this judge's judgements. Raises `Busy` if there is another."""
        with self._appending(self.judgements(judge_id), "judgements"):
            yield

    @contextmanager
    def _appending(self, table: Table, what: str) -> Iterator[None]:
        self.check_is_there()
        with told(self.folder):
            table.folder.parent.mkdir(exist_ok=True)
        with exclusive(table.folder.with_name(f"{table.folder.name}.lock"), f"The {what} of {self.folder.parent}"):
            table.own()
            yield
            self.flush()
            compact(table)

    def check_is_there(self) -> None:
        """Raise `UserError` if the pool's folder is gone: it was removed or moved while a command was at it."""
        if not (self.folder / "rewards").is_dir():
            raise UserError(f"{self.folder} is gone: the run was removed or moved while this command was at it.")

    def is_growing(self) -> bool:
        """Whether some process appends prompts and responses at this moment."""
        return is_held(self.folder / "sampler.lock")

    def describe(self, kind: str, identity: str, description: dict[str, Any]) -> None:
        """Keep what an id in a row stands for, as JSON: the pool explains itself."""
        if not self.description(kind, identity):
            write_json(self._settings(kind, identity), description, make_folder=False)

    def description(self, kind: str, identity: str) -> dict[str, Any]:
        """What `describe` kept; nothing where it is not there or damaged, and then it is described again. Raises
        `UserError` where it may not be read.
        """
        path = self._settings(kind, identity)
        try:
            return read_json(path)
        except (FileNotFoundError, IsADirectoryError, Damaged):
            return {}
        except OSError as error:
            raise not_read(path, error) from error

    def _settings(self, kind: str, identity: str) -> Path:
        return self.folder / "settings" / f"{kind}-{identity}.json"

    def flush(self) -> None:
        """Write what is buffered and wait until it is durable."""
        self._write_buffers()
        self._writer.wait()

    def flush_if_due(self) -> None:
        """Write all that is buffered if some of it is much or old; without waiting for it."""
        if any(table.is_due() for table in self._tables.values()):
            self._write_buffers()

    def _write_buffers(self) -> None:
        for table in sorted(self._tables.values(), key=lambda one: list(SCHEMAS).index(self._kind(one))):
            if write := table.take_buffer():
                self._writer.submit(write)

    def _kind(self, table: Table) -> str:
        return table.folder.relative_to(self.folder).parts[0]

    def close(self) -> None:
        """Wait for what is being written. What is only buffered is not written: that is what `flush` is for."""
        self._writer.close()
