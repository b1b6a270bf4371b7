"""Rows from text files: .txt, .csv, .jsonl and .json. A line that is no row costs itself alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from evolve.sources.columns import COLUMNS
from evolve.sources.opening import kind_of, open_text
from prompts.errors import UserError

TEXT_COLUMN = "prompt"  # what a bare string (a line of .txt, a JSON string) is taken for
_NOT_UTF8 = "not UTF-8, but Latin-1 or Windows-1252 perhaps"
_CELL = 1 << 27  # characters; csv's own limit of 131,072 is short of a long prompt


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not one, and why."""

    why: str


Row = dict[str, Any] | Unreadable


def lines_of(path: Path) -> Iterator[str | Unreadable]:
    """The lines of a text file; one that is not UTF-8 costs itself alone."""
    with open_text(path) as file:
        for n, line in enumerate(file):
            try:
                yield line.decode("utf-8-sig" if n == 0 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                yield Unreadable(f"{_NOT_UTF8} ({error.reason})")


def txt_rows(path: Path) -> Iterator[Row]:
    """A row for each line, empty ones too."""
    yield from ({TEXT_COLUMN: line} if isinstance(line, str) else line for line in lines_of(path))


def jsonl_rows(path: Path) -> Iterator[Row]:
    """An object or string on each line; blank lines are no rows."""
    for line in lines_of(path):
        if isinstance(line, Unreadable):
            yield line
        elif line.strip():
            try:
                yield _as_row(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield Unreadable(f"not JSON ({error})")


def json_rows(path: Path) -> Iterator[Row]:
    """A list of objects or strings, an object with one such list, or JSON lines under the wrong name (`datasets`
    writes those).
    """
    lines = (line for line in lines_of(path) if isinstance(line, str) and line.strip())
    first, more = next(lines, ""), next(lines, None) is not None
    if more and first.startswith("{") and isinstance(_parsed(first), dict):
        yield from jsonl_rows(path)
        return
    try:
        with open_text(path) as file:
            data = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not JSON ({error}). Expected a list of objects; for one object a line use .jsonl."
        ) from error
    yield from map(_as_row, _listed(data) if isinstance(data, dict) else data if isinstance(data, list) else [data])


def _listed(data: dict[str, Any]) -> list[Any]:
    """The rows of an object such as {"data": [...]}, where that is its only list; else the object is a row itself."""
    lists = [value for value in data.values() if isinstance(value, list)]
    is_row = len(lists) != 1 or any(name in data for name in ("messages", "conversations", "conversation", "prompt"))
    return [data] if is_row else lists[0]


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _as_row(value: Any) -> Row:
    if isinstance(value, str):
        return {TEXT_COLUMN: value}
    return value if isinstance(value, dict) else Unreadable(f"a {type(value).__name__} where an object was expected")


def csv_rows(path: Path) -> Iterator[Row]:
    """The first row names the columns. A row that is not CSV, with a quote that never ends perhaps, costs itself alone;
    blank rows are none.
    """
    csv.field_size_limit(_CELL)
    with open_text(path) as binary, _text(binary) as file:
        delimiter = _delimiter(file, "\t" if kind_of(path) == ".tsv" else "")
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = _header(path, reader)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Unreadable(f"line {reader.line_num} is not CSV ({error})")
                continue
            if cells:
                yield _row(header, cells)


def _text(binary: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _delimiter(file: io.TextIOWrapper, known: str) -> str:
    """What parts the columns, by the first line, which may say it (Excel's sep=;). Leaves the file at the header."""
    first = file.readline()
    if said := re.fullmatch(r"sep=(.)\r?\n", first, re.IGNORECASE):
        return said[1]
    file.seek(0)
    if known:
        return known
    names = {sign: first.strip().replace('"', "").split(sign) for sign in ",;\t|"}
    return max(names, key=lambda sign: (any(name in COLUMNS for name in names[sign]), len(names[sign])))


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next((cells for cells in reader if cells), [])
    except csv.Error as error:
        raise UserError(f"{path} is not CSV ({error}). Expected the columns' names in its first line.") from error
    twice = sorted(name for name in set(header) if name and header.count(name) > 1)
    if twice:
        raise UserError(f"{path} has more than one column {twice[0]}. Give each column a name of its own.")
    return header


def _row(header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Unreadable(f"{len(cells)} cells where the header has {len(header)}")
    if any("\udc80" <= char <= "\udcff" for cell in cells if not cell.isascii() for char in cell):
        return Unreadable(_NOT_UTF8)
    return dict(zip(header, cells, strict=True))


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".json": json_rows,
    ".jsonl": jsonl_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".txt": txt_rows,
}
