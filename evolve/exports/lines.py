"""JSON lines in, JSON lines out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evolve.pool.files import arrow_file
from evolve.pool.output import output_file

BATCH = 1_000


def batches_of(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of a parquet file, a batch in memory at a time."""
    for batch in pq.ParquetFile(arrow_file(path)).iter_batches(BATCH):
        yield batch.to_pylist()


def line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, whole or not at all where `path` is no device; returns how many there were."""
    n = 0
    with output_file(path) as file:
        for row in rows:
            file.write(line(row))
            n += 1
    return n


def write_sides(paths: dict[str, Path], rows: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write each row to the file of its side. Where `rows` raises, no file appears."""
    with ExitStack() as stack:
        files = {side: stack.enter_context(output_file(path)) for side, path in paths.items()}
        for side, row in rows:
            files[side].write(line(row))
