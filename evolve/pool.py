"""The pool: append-only tables of everything a model has computed. The only state that a run has.

A table is a folder of parquet parts. A part exists if and only if it is complete: it is written under another name,
synced and renamed. Its name ends with a digest of its bytes, which every read checks, so a damaged part is never read.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolve.files import write_file
from evolve.lock import exclusive, is_held
from prompts.errors import UserError

log = logging.getLogger(__name__)

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMAS = {
    # X (parent_id empty) and every rewrite ever made, with its verdict: "kept" or the reason it was rejected.
    "prompts": pa.schema(
        [
            ("key", pa.string()),  # what was asked for: content_id of parent, strategy, template, sampler and index
            ("id", pa.string()),  # the prompt itself: content_id of its messages
            ("messages", MESSAGES),
            ("parent_id", pa.string()),
            ("strategy", pa.string()),
            ("verdict", pa.string()),
            ("reward_limit", pa.int64()),  # the reward model's context, when that is what it was too long for
            ("sampler_id", pa.string()),
            ("finish_reason", pa.string()),
            ("n_tokens", pa.int32()),
            ("logp", pa.float64()),
        ]
    ),
    "responses": pa.schema(
        [
            ("id", pa.string()),
            ("prompt_id", pa.string()),
            ("sampler_id", pa.string()),
            ("sample_index", pa.int32()),  # -1: the prompt was not sampled, and `error` says why
            ("text", pa.string()),
            ("n_tokens", pa.int32()),  # with the end-of-turn token when it was sampled
            ("logp", pa.float64()),  # sum of log pi(y|x), nats, temperature 1, full vocabulary
            ("finish_reason", pa.string()),
            ("seed", pa.int64()),
            ("token_ids", pa.list_(pa.int32())),
            ("error", pa.string()),
        ]
    ),
    "rewards": pa.schema(
        [
            ("response_id", pa.string()),
            ("score", pa.float64()),
            ("objectives", pa.list_(pa.float32())),
            ("weights", pa.list_(pa.float32())),
            ("error", pa.string()),
        ]
    ),
}
ROWS_PER_PART = 5_000
SECONDS_PER_PART = 5.0


class DamagedPart(UserError):
    """A part whose bytes are not those that were written."""


class Table:
    """One table of the pool. Rows are appended in memory and become durable part by part, in a thread of their own."""

    def __init__(self, folder: Path, schema: pa.Schema, writer: ThreadPoolExecutor) -> None:
        self.folder = folder
        self.schema = schema
        self._owned = False
        self._writer = writer
        self._buffer: list[dict[str, Any]] = []
        self._written_at = time.monotonic()
        self._pending: list[Future[None]] = []
        self._next_number = 0

    def own(self) -> None:
        """Prepare to append. The caller holds the lock of whoever appends to this table, so that nobody else does."""
        self._owned = True
        for path in self.folder.glob(".*.unfinished"):
            path.unlink(missing_ok=True)
        self._next_number = max((int(path.name.split("-")[0]) for path in self.parts()), default=-1) + 1

    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.parquet"))

    def scan(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows that are on disk, part by part. A damaged one is set aside, or refused if the table is not owned."""
        for path in self.parts():
            try:
                yield self.read(path, columns)
            except DamagedPart as error:
                if not self._owned:
                    raise
                aside = path.with_suffix(".damaged")
                path.rename(aside)
                log.warning("%s Set aside as %s; its rows are computed again.", str(error).split(":")[0], aside.name)

    def read(self, path: Path, columns: Sequence[str]) -> pa.Table:
        """One part. Raises `DamagedPart` if its bytes are not those that were written."""
        data = path.read_bytes()
        if _digest(data) != path.stem.split("-")[1]:
            raise DamagedPart(
                f"{path} is damaged ({len(data)} bytes that are not those written): run `evolve run` on this run "
                "again, which sets the part aside and computes only its rows anew."
            )
        return pq.read_table(pa.BufferReader(data), columns=list(columns))

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Buffer rows; a full buffer is written in the background. A write that failed raises here or in `flush`."""
        self._buffer.extend(rows)
        if len(self._buffer) >= ROWS_PER_PART:
            self._write_buffer()
        else:
            self.flush_if_old()

    def flush_if_old(self) -> None:
        if self._buffer and time.monotonic() - self._written_at > SECONDS_PER_PART:
            self._write_buffer()

    def flush(self) -> None:
        """Write what is buffered and wait until it is durable."""
        self._write_buffer()
        for future in self._pending:
            future.result()
        self._pending.clear()

    def _write_buffer(self) -> None:
        rows, self._buffer = self._buffer, []
        self._written_at = time.monotonic()
        if rows:
            self._pending.append(self._writer.submit(_write_part, self.folder, self._next_number, rows, self.schema))
            self._next_number += 1
        while len(self._pending) > 4 or (self._pending and self._pending[0].done()):
            self._pending.pop(0).result()


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


def _write_part(folder: Path, number: int, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), buffer, compression="zstd")
    data = buffer.getvalue()
    write_file(folder / f"{number:08d}-{_digest(data)}.parquet", data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
