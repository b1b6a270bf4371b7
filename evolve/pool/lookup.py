"""Find rows of a pool table by id without holding their text: an index of ids, and where each row lies."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from evolve.pool.ids import ID, Index, id_array, ids_of
from evolve.pool.table import Table
from prompts.errors import UserError

CACHED_PARTS = 4


class Lookup:
    """Rows of `table` by the 24-digit ids in `column`; 20 bytes a row. Where an id occurs twice the last row counts."""

    def __init__(self, table: Table, column: str) -> None:
        self._table = table
        self._parts = table.parts()
        ids, starts = [np.empty(0, ID)], [0]
        for part in self._parts:
            found = table.read(part, [column])
            ids.append(np.empty(0, ID) if found is None else ids_of(found[column]))
            starts.append(starts[-1] + len(ids[-1]))
        self._starts = np.array(starts)  # of each part's rows among those of all
        self._index = Index(np.concatenate(ids))
        self._cache: OrderedDict[tuple[int, tuple[str, ...]], pa.Table] = OrderedDict()

    def __contains__(self, identity: str) -> bool:
        return self.there([identity])[0]

    def there(self, ids: Sequence[str]) -> list[bool]:
        """Which of `ids` have a row."""
        return list((self._index.find(id_array(ids)) >= 0).tolist())

    def fetch(self, ids: Sequence[str] | np.ndarray, columns: Sequence[str]) -> pa.Table:
        """The rows of `ids` (text, or an array of type ID), in that order, an id may repeat. Every part is read once.
        Raises `UserError` for one that is not there.
        """
        places = self._index.find(id_array(ids))
        if (places < 0).any():
            raise UserError(
                f"{self._table.folder} lacks rows that others stand on: parts of it were removed. `evolve run` on this "
                "run makes them again."
            )
        order = np.argsort(places, kind="stable")
        inside = places[order]
        cuts = np.searchsorted(inside, self._starts)
        pieces = [
            self._read(number, tuple(columns)).take(inside[first:end] - self._starts[number])
            for number, (first, end) in enumerate(itertools.pairwise(cuts.tolist()))
            if end > first
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
