"""A table of the pool: a folder of parquet parts, appended to and never changed.

A part exists if and only if it is complete: it is written under another name, synced and renamed. Its name ends with a
digest of its bytes, which every read checks, so a damaged part is never read.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolve.pool.files import write_file
from prompts.errors import UserError

log = logging.getLogger(__name__)

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


def _write_part(folder: Path, number: int, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), buffer, compression="zstd")
    data = buffer.getvalue()
    write_file(folder / f"{number:08d}-{_digest(data)}.parquet", data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
