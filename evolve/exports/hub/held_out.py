"""The two sides of a dataset as parquet files, for each of its configurations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolve.exports.split import TEST, TRAIN, Split
from evolve.pool.files import arrow_file, write_parquet

# What is held out has a name of its own beside the file that it is held out of.
NAMES = {"train.parquet": "test.parquet", "selected.parquet": "selected-test.parquet"}


def write_sides(folder: Path, split: Split, out: Path) -> dict[str, Any]:
    """Write the files of a dataset in `folder` anew to `out`, train and test apart, and return what lies there: for
    each configuration and side the path in `out` and the number of pairs. Rows keep their order, and the same rows make
    the same bytes. A side without pairs has no file; raises `UserError` where one of the training set has none.
    """
    found: dict[str, Any] = {}
    for config, name in (("default", "train.parquet"), ("selected", "selected.parquet")):
        sides: dict[str, Any] = {}
        for side, path in ((TRAIN, name), (TEST, NAMES[name])):
            n = _write_side(folder / name, split, side, out / path)
            if n:
                sides[side] = {"path": path, "pairs": n}
        if config == "default":
            split.needs_both({side: one["pairs"] for side, one in sides.items()})
        if sides:
            found[config] = sides
    return found


def _write_side(source: Path, split: Split, side: str, out: Path) -> int:
    """Write the rows of one side, a group of rows in memory at a time; returns how many they are."""
    file = pq.ParquetFile(arrow_file(source))
    n = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal n
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            sides = map(split.side, table["prompt_id"].to_pylist())
            kept = table.filter(pa.array([one == side for one in sides], pa.bool_()))
            n += len(kept)
            if len(kept):
                yield kept

    write_parquet(out, file.schema_arrow, tables())
    return n
