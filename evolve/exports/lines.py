"""JSON lines in, JSON lines out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evolve.pool.files import arrow_file
from evolve.pool.output import output_file


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a parquet file, a batch in memory at a time."""
    for batch in pq.ParquetFile(arrow_file(path)).iter_batches(1_000):
        yield from batch.to_pylist()


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, whole or not at all where `path` is no device; returns how many there were."""
    n = 0
    with output_file(path) as file:
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode())
            n += 1
    return n
