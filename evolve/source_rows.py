"""Rows from wherever prompts are kept: local files by their ending, folders of parquet, datasets of the Hugging Face Hub.

Nothing is held: each call of `Source.rows` reads the source again, a row at a time (a .json list excepted, which has to be parsed whole).
A line that can't be read is an `Unreadable` in the row's place; a source that can't be read is a `UserError`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from prompts.errors import UserError

KINDS = (".parquet", ".json", ".jsonl", ".csv", ".txt")
TEXT_COLUMN = "prompt"  # what a bare string (a line of .txt, a JSON string) is taken for
_PEEK = 100  # rows of JSON that are looked at for column names
_BATCH = 1000
_CELL = 1 << 27  # characters; csv's own limit of 131,072 is short of a long prompt

_HUB_NAME = re.compile(r"(?P<name>(?:[\w-][\w.-]*/)?[\w-][\w.-]*)(?::(?P<config>[\w.+-]+))?(?:@(?P<revision>[\w./-]+))?")
_SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-\d{5}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not one, and why."""

    why: str


Row = dict[str, Any] | Unreadable


@dataclass(frozen=True)
class Source:
    """An opened source: its columns, the identity of its content, and a way to read its rows (only the columns asked for)."""

    columns: tuple[str, ...]
    fingerprint: str
    rows: Callable[[Sequence[str]], Iterator[Row]]


def open_source(source: str, split: str | None = None) -> Source:
    """Find out what `source` is and open it.

    A local path, or NAME[:CONFIG][@REVISION] of a Hub dataset. `split` counts for Hub datasets and for folders of parquet whose
    file names announce one (train-00000-of-00002.parquet); a single file has no splits. Raises UserError.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_folder(path, split)
    if path.is_file():
        return _open_file(path)
    name = _HUB_NAME.fullmatch(source)
    if path.suffix.lower() in KINDS or name is None:
        raise UserError(f"No file at {source}. Expected {', '.join(KINDS)}, a folder of .parquet, or a Hub dataset's name.")
    return _open_hub(source, split, **name.groupdict())


def _open_file(path: Path) -> Source:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UserError(f"{path} ends in {kind or 'nothing'}. Expected one of {', '.join(KINDS)}; convert it first.")
    if kind == ".parquet":
        return _open_parquet([path])
    if kind == ".txt":
        columns, rows = (TEXT_COLUMN,), lambda _: ({TEXT_COLUMN: x} if isinstance(x, str) else x for x in _lines(path))
    elif kind == ".csv":
        header = next(_cells(path), [])
        columns, rows = tuple(header), lambda _: _csv_rows(path)
    else:
        read = _json_rows if kind == ".json" else _jsonl_rows
        seen = (row for row in islice(read(path), _PEEK) if isinstance(row, dict))
        columns, rows = tuple(dict.fromkeys(key for row in seen for key in row)), lambda _: read(path)
    return Source(columns, _digest([path]), rows)


def _open_folder(folder: Path, split: str | None) -> Source:
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise UserError(f"{folder} has no .parquet file. Expected a folder of parquet files, or name one file of {', '.join(KINDS)}.")
    splits = {file: shard["split"] for file in files if (shard := _SHARD.fullmatch(file.stem))}
    if len(splits) == len(files) and (split is not None or len(set(splits.values())) > 1):
        files = [file for file in files if splits[file] == split]
        if not files:
            there = ", ".join(sorted(set(splits.values())))
            raise UserError(f"{folder} has the splits {there}, not {split}. Set `prompts.split` to one of them.")
    return _open_parquet(files)


def _open_parquet(files: list[Path]) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, None] = {}
    for file in files:
        try:
            columns |= dict.fromkeys(pq.read_schema(file).names)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{file} can't be read as parquet ({error}). Make the file again.") from error

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for file in files:
            with pq.ParquetFile(file) as table:
                there = [name for name in wanted if name in table.schema_arrow.names]
                for batch in table.iter_batches(_BATCH, columns=there):
                    yield from batch.to_pylist()

    return Source(tuple(columns), _digest(files), rows)


def _open_hub(source: str, split: str | None, name: str, config: str | None, revision: str | None) -> Source:
    import datasets

    try:
        found = datasets.load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise UserError(_hub_trouble(source, split, error)) from error
    if isinstance(found, dict):  # no split was asked for
        if len(found) > 1:
            raise UserError(f"{source} has the splits {', '.join(found)}. Set `prompts.split` to one of them.")
        found = next(iter(found.values()))
    if not found.cache_files:
        raise UserError(f"{source}, split {split}, has no rows. Expected prompts; choose another split or dataset.")

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for batch in found.select_columns(list(wanted)).iter(_BATCH):
            yield from (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))

    # `datasets` keeps a dataset of the Hub in a folder named by its commit.
    commit = Path(found.cache_files[0]["filename"]).parent.name
    return Source(tuple(found.column_names), f"{source.partition('@')[0]}/{found.split}@{commit}", rows)


def _hub_trouble(source: str, split: str | None, error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    if isinstance(error, ConnectionError) or "offline" in said.lower():
        out = f"Connect and try again, or name a local file ({', '.join(KINDS)}) or folder of parquet."
    elif "gated" in said.lower() or "authenticat" in said.lower():
        out = "If it is gated, accept its terms on its page and set HF_TOKEN; or name a local file."
    elif isinstance(error, FileNotFoundError):
        out = "Check the spelling; for a private dataset set HF_TOKEN; for a local file give its path."
    elif "onfig" in said:
        out = "Name the configuration: NAME:CONFIG."
    else:
        out = "Set `prompts.split` to a split that is there, or download the data and name the file."
    return f"{source} (split {split}) can't be loaded from the Hub: {said}. {out}"


def _lines(path: Path) -> Iterator[str | Unreadable]:
    """The lines of a text file; one that is not UTF-8 costs itself alone."""
    with path.open("rb") as file:
        for n, line in enumerate(file):
            try:
                yield line.decode("utf-8-sig" if n == 0 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                yield Unreadable(f"not UTF-8 ({error.reason})")


def _jsonl_rows(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        if isinstance(line, Unreadable):
            yield line
        elif line.strip():
            try:
                yield _as_row(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield Unreadable(f"not JSON ({error})")


def _json_rows(path: Path) -> Iterator[Row]:
    """A list of objects or strings, an object with one such list, or JSON lines under the wrong name (`datasets` writes those)."""
    lines = (line for line in _lines(path) if isinstance(line, str) and line.strip())
    first, more = next(lines, ""), next(lines, None) is not None
    if more and first.startswith("{") and isinstance(_parsed(first), dict):
        yield from _jsonl_rows(path)
        return
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}). Expected a list of objects; for one object a line use .jsonl.") from error
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list) and all(isinstance(x, dict) for x in value)]
        data = lists[0] if len(lists) == 1 and lists[0] and "role" not in lists[0][0] and "from" not in lists[0][0] else [data]
    yield from map(_as_row, data if isinstance(data, list) else [data])


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _as_row(value: Any) -> Row:
    if isinstance(value, str):
        return {TEXT_COLUMN: value}
    return value if isinstance(value, dict) else Unreadable(f"a {type(value).__name__} where an object was expected")


def _cells(path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(_CELL)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            yield from (cells for cells in csv.reader(file) if cells)
        except csv.Error as error:
            raise UserError(f"{path} is not CSV ({error}). Expected commas, and quotes around text with line ends.") from error


def _csv_rows(path: Path) -> Iterator[Row]:
    cells = _cells(path)
    header = next(cells, [])
    for row in cells:
        if len(row) != len(header):
            yield Unreadable(f"{len(row)} cells where the header has {len(header)}")
        elif any("\udc80" <= char <= "\udcff" for cell in row if not cell.isascii() for char in cell):
            yield Unreadable("not UTF-8")
        else:
            yield dict(zip(header, row, strict=True))


def _digest(files: Sequence[Path]) -> str:
    total = hashlib.blake2b(digest_size=12)
    for path in files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()
