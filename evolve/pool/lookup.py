"""Find rows of a pool table by id without holding their text: sorted ids and where each row lies."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from evolve.pool.table import Table
from prompts.errors import UserError

CACHED_PARTS = 4


class Lookup:
    """Rows of `table` by the 24-digit ids in `column`; 32 bytes a row. Where an id occurs twice the last row counts."""

    def __init__(self, table: Table, column: str) -> None:
        self._table = table
        self._parts = table.parts()
        ids, where = [np.empty(0, "S24")], [np.empty(0, np.int64)]
        for number, part in enumerate(self._parts):
            if (found := table.read(part, [column])) is not None:
                ids.append(np.array(found[column].to_pylist(), dtype="S24"))
                where.append((number << 32) + np.arange(len(found)))
        all_ids, all_where = np.concatenate(ids)[::-1], np.concatenate(where)[::-1]
        self._ids, first = np.unique(all_ids, return_index=True)
        self._where = all_where[first]
        self._cache: OrderedDict[tuple[int, tuple[str, ...]], pa.Table] = OrderedDict()

    def __contains__(self, identity: str) -> bool:
        at = np.searchsorted(self._ids, identity.encode())
        return bool(at < len(self._ids) and self._ids[at] == identity.encode())

    def fetch(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of `ids`, in that order, an id may repeat. Raises `UserError` for one that is not there."""
        wanted = np.array(ids, dtype="S24")
        at = np.searchsorted(self._ids, wanted)
        at[at == len(self._ids)] = 0
        if len(wanted) and (not len(self._ids) or (self._ids[at] != wanted).any()):
            raise UserError(
                f"{self._table.folder} lacks rows that others stand on: parts of it were removed. `evolve run` on this "
                "run makes them again."
            )
        where = self._where[at] if len(wanted) else np.empty(0, np.int64)
        part_of, row_of = where >> 32, where & 0xFFFFFFFF
        order = np.argsort(part_of, kind="stable")
        pieces = [
            self._read(int(number), tuple(columns)).take(row_of[order][part_of[order] == number])
            for number in np.unique(part_of)
        ]
        if not pieces:
            return pa.table({name: pa.array([], self._table.schema.field(name).type) for name in columns})
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(pieces).take(back)

    def _read(self, number: int, columns: tuple[str, ...]) -> pa.Table:
        key = (number, columns)
        if key not in self._cache:
            found = self._table.read(self._parts[number], columns)
            assert found is not None, "it was read when the ids were"
            self._cache[key] = found
            while len(self._cache) > CACHED_PARTS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]
