"""Merging small parts: a part every five seconds is 17,000 a day, each a file to list, open and check.

Crash-safe, and beside readers: the merged part appears whole, under a name that says what it covers, and from then on
readers take it in the others' stead. Those go when the table is owned the next time, not at once, for whoever listed
them just before.
"""

from __future__ import annotations

import logging

import pyarrow as pa

from evolve.pool.parts import Part
from evolve.pool.table import DamagedPart, Table, write_part

log = logging.getLogger(__name__)

SMALL_PARTS = 64  # so many of them are merged
ROWS_MERGED = 50_000  # of a merged part, about


def compact(table: Table) -> int:
    """Merge runs of neighbouring small parts of a table that the caller owns; returns how many parts were merged."""
    merged = 0
    for run in _runs(table.parts(), table):
        try:
            rows = [part for one in run if (part := table.read(one, table.schema.names)) is not None]
        except DamagedPart:
            continue  # the next scan sets it aside
        write_part(table.folder, run[0].first, run[-1].last, pa.concat_tables(rows), row_group_size=ROWS_MERGED)
        merged += len(run)
    if merged:
        log.info("%s: %d small parts merged", table.folder, merged)
    return merged


def _runs(parts: list[Part], table: Table) -> list[list[Part]]:
    """Neighbours that are small, in runs of about ROWS_MERGED rows; none where there are few of them."""
    counts = {part: table.count(part) for part in parts}
    if sum(n < ROWS_MERGED // 2 for n in counts.values()) < SMALL_PARTS:
        return []
    runs: list[list[Part]] = [[]]
    rows = 0
    for part in parts:
        if counts[part] >= ROWS_MERGED // 2 or rows + counts[part] > ROWS_MERGED:
            runs.append([])
            rows = 0
        if counts[part] < ROWS_MERGED // 2:
            runs[-1].append(part)
            rows += counts[part]
    return [run for run in runs if len(run) > 1]
