"""A table of the pool: a folder of parquet parts, appended to and never changed.

A part exists if and only if it is complete: it is written under another name, synced and renamed. Its name ends with a
digest of its bytes, which is checked before it is first read, so a damaged part is never read.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolve.pool.files import arrow_file, repeated, unfinished_in, write_file
from evolve.pool.parts import Listing, Part, listing, part_name
from prompts.errors import UserError

log = logging.getLogger(__name__)

ROWS_PER_PART = 5_000
SECONDS_PER_PART = 5.0

Identity = tuple[str, int, int, int]  # of a file's content as the file system knows it


class DamagedPart(UserError):
    """A part whose bytes are not those that were written."""


class Table:
    """One table of the pool. Rows are appended in memory; the pool makes them durable, all tables in their order."""

    def __init__(self, folder: Path, schema: pa.Schema, appended: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.schema = schema
        self.buffer: list[dict[str, Any]] = []
        self.buffered_since = time.monotonic()
        self._appended = appended  # called after each append, for who decides when buffers are written
        self._owned = False
        self._next_number = 0
        self._intact: set[Identity] = set()
        self._told: set[str] = set()

    def own(self) -> None:
        """Prepare to append. The caller holds the lock of whoever appends to this table, so that nobody else does.

        What a killed process left unfinished goes, as do parts that have been merged into another.
        """
        self.folder.mkdir(exist_ok=True)
        self._owned = True
        found = self.listing()
        for path in (*unfinished_in(self.folder), *(part.path for part in found.covered)):
            path.unlink(missing_ok=True)
        self._next_number = max((part.last for part in (*found.parts, *found.covered)), default=-1) + 1

    def listing(self) -> Listing:
        """What lies in the folder. Files that are no parts are named once, and ignored."""
        found = listing(self.folder)
        for name in found.strays:
            self._ignore(name, "no part of this table, or one that is there already")
        return found

    def parts(self) -> list[Part]:
        """The parts to read, in order."""
        return self.listing().parts

    def scan(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows that are on disk, part by part. A damaged one is set aside, or refused if the table is not owned."""
        for part in self.parts():
            try:
                found = self.read(part, columns)
            except DamagedPart as error:
                if not self._owned:
                    raise
                aside = part.path.with_suffix(".damaged")
                part.path.rename(aside)
                log.warning("%s Set aside as %s; its rows are computed again.", str(error).split(":")[0], aside.name)
                continue
            if found is not None:
                yield found
        pa.default_memory_pool().release_unused()  # after a large table Arrow keeps much that it needs no more

    def read(self, part: Part, columns: Sequence[str]) -> pa.Table | None:
        """Columns of one part, nulls where it was written without them; None for a part of another table. Raises
        `DamagedPart` if its bytes are not those that were written.
        """
        try:
            file = self._open(part)
        except FileNotFoundError as error:
            raise UserError(f"{part.path} was removed while the pool was read: run the same command again.") from error
        except OSError as error:
            raise UserError(f"{part.path} can't be read ({error.strerror or error}). Check its permissions.") from error
        there = file.schema_arrow.names
        if self.schema.names[0] not in there:
            self._ignore(part.path.name, "a part of another table")
            return None
        # One thread: Arrow's reading threads may outlive the interpreter, which then aborts at its exit.
        found = file.read([name for name in columns if name in there], use_threads=False)
        for name in columns:
            if name not in there:
                found = found.append_column(name, pa.nulls(len(found), self.schema.field(name).type))
        return found.select(list(columns))

    def count(self, part: Part) -> int:
        """Rows of a part."""
        return int(self._open(part).metadata.num_rows)

    def _open(self, part: Part) -> pq.ParquetFile:
        """A part, checked if this process has not read it before: then all of it is read, else only what is asked."""
        status = part.path.stat()
        identity = (str(part.path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if identity in self._intact:
            return pq.ParquetFile(arrow_file(part.path))
        with arrow_file(part.path) as file:
            data = file.read_buffer()
        if digest_of(data) != part.digest:
            raise DamagedPart(
                f"{part.path} is damaged ({data.size} bytes that are not those written): run `evolve run` on this run "
                "again, which sets the part aside and computes only its rows anew."
            )
        self._intact.add(identity)
        return pq.ParquetFile(pa.BufferReader(data))

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Buffer rows. A write that failed raises here or in the pool's `flush`."""
        if not self.buffer:
            self.buffered_since = time.monotonic()
        self.buffer.extend(rows)
        self._appended()

    def is_due(self) -> bool:
        """Whether what is buffered is much or old enough to be written."""
        old = time.monotonic() - self.buffered_since > SECONDS_PER_PART
        return bool(self.buffer) and (old or len(self.buffer) >= ROWS_PER_PART)

    def take_buffer(self) -> Callable[[], None] | None:
        """What writes the rows that are buffered now as a part; None if there are none."""
        rows, self.buffer = self.buffer, []
        if not rows:
            return None
        number, self._next_number = self._next_number, self._next_number + 1
        return lambda: write_part(self.folder, number, number, _as_table(rows, self.schema))

    def _ignore(self, name: str, why: str) -> None:
        if name not in self._told:
            log.warning("%s is %s: ignored.", self.folder / name, why)
        self._told.add(name)


def write_part(folder: Path, first: int, last: int, rows: pa.Table, row_group_size: int | None = None) -> None:
    """Write a part, whole or not at all. The folder must be there: one that was removed is not made again."""
    stream = io.BytesIO()
    dictionary = repeated(rows.schema)
    pq.write_table(rows, stream, compression="zstd", use_dictionary=dictionary, row_group_size=row_group_size)
    data = stream.getvalue()
    write_file(folder / part_name(first, last, digest_of(data)), data, make_folder=False)


def digest_of(data: Any) -> str:
    """The digest in a part's name, of its bytes."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _as_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
