"""Rows from wherever prompts are kept: local files by their ending, folders of them, datasets of the Hub.

Nothing is held: each call of `Source.rows` reads the source again, a row at a time (a .json list and UTF-16 excepted,
which have to be read whole). A line that can't be read is an `Unreadable` in the row's place; a source that can't be
read is a `UserError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from evolve.sources.lines import READERS, Row, Unreadable
from evolve.sources.location import Location
from evolve.sources.opening import kind_of
from prompts.errors import UserError

BATCH = 1000  # rows of a table that are held at once
_PEEK = 100  # rows of a text file that are looked at for column names


@dataclass(frozen=True)
class Source:
    """An opened source: its columns, a way to read its rows (the columns named), and the commit of a Hub dataset."""

    columns: tuple[str, ...]
    rows: Callable[[Sequence[str]], Iterator[Row]]
    commit: str = ""


def open_files(location: Location) -> Source:
    """The files of a location as one source. Raises `UserError` for one that can't be read."""
    if location.kind == ".parquet":
        return _open_tables(location.files, _parquet)
    if location.kind == ".arrow":
        return _open_tables(location.files, _arrow)
    read = READERS[location.kind]

    def each(_: Sequence[str] = ()) -> Iterator[Row]:
        for file in location.files:
            yield from read(file)

    seen = (row for row in islice(each(), _PEEK) if isinstance(row, dict))
    return Source(tuple(dict.fromkeys(key for row in seen for key in row)), each)


def rows_of_batch(batch: Any) -> Iterator[Row]:
    """The rows of a batch; one that Python can't hold (text not in UTF-8, a date out of range) costs itself alone."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for i in range(len(batch)):
            try:
                yield from batch.slice(i, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield Unreadable(f"a value that can't be read ({error})")


_Batches = Callable[[Path, Sequence[str] | None], Iterator[Any]]


def _open_tables(files: Sequence[Path], batches: _Batches) -> Source:
    """Files of a columnar format. `batches` gives a file's batches with the columns named, or for None their names."""
    columns: dict[str, None] = {}
    for file in files:
        (names,) = _told(file, batches(file, None), f"as {kind_of(file)[1:]}")
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        if twice:
            raise UserError(f"{file} has more than one column {twice[0]}. Give each column a name of its own.")
        columns |= dict.fromkeys(names)

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for file in files:
            for batch in _told(file, batches(file, wanted), "to its end"):
                yield from rows_of_batch(batch)

    return Source(tuple(columns), rows)


def _told(file: Path, read: Iterator[Any], how: str) -> Iterator[Any]:
    """What `read` gives, with what goes wrong in it told of the file."""
    import pyarrow as pa

    try:
        yield from read
    except PermissionError as error:
        raise UserError(f"{file} can't be read (Permission denied). Check the path and its owner.") from error
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        why = "a git-lfs pointer: its data was not fetched" if _is_pointer(file) else said
        raise UserError(f"{file} can't be read {how} ({why}). Fetch or make the file again.") from error


def _opened(file: Path) -> Any:
    """A file for Arrow, which itself takes names in UTF-8 alone."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(file))


def _is_pointer(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(32).startswith(b"version https://git-lfs")
    except OSError:
        return False


def _parquet(file: Path, wanted: Sequence[str] | None) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with _opened(file) as opened, pq.ParquetFile(opened, page_checksum_verification=True) as table:
        if wanted is None:
            yield table.schema_arrow.names
            return
        there = [name for name in wanted if name in table.schema_arrow.names]
        yield from table.iter_batches(BATCH, columns=there)


def _arrow(file: Path, wanted: Sequence[str] | None) -> Iterator[Any]:
    """Of a stream, as `datasets` saves them, or of an Arrow file."""
    import pyarrow as pa

    with _opened(file) as opened:
        is_file = opened.read(6) == b"ARROW1"
        opened.seek(0)
        with pa.ipc.open_file(opened) if is_file else pa.ipc.open_stream(opened) as reader:
            if wanted is None:
                yield reader.schema.names
                return
            there = [name for name in wanted if name in reader.schema.names]
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
            for batch in batches:
                chosen = batch.select(there)
                for column in chosen.columns:
                    _check_offsets(column)
                for start in range(0, len(chosen), BATCH):
                    yield chosen.slice(start, BATCH)


def _check_offsets(column: Any) -> None:
    """Raise ArrowInvalid for a column that points out of its file. Text that is not UTF-8 is a matter of its row."""
    import pyarrow as pa

    as_bytes = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(column.type)
    (column.view(as_bytes) if as_bytes else column).validate(full=True)
