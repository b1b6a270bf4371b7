"""Rank a file of scored pairs and keep its k best: parquet to parquet, with memory for a few numbers a pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evolve.pool.files import write_parquet
from evolve.recipe.sections import Selection
from evolve.views.known import NUMBERS, known_of_columns, parameters_of
from evolve.views.pairs import explicit_margin, implicit_margin
from prompts.errors import UserError
from selection import best_first, count_of, metric_of, score

SCORES = ("score_chosen", "score_rejected")
LOGP = ("logp_chosen", "n_tokens_chosen", "logp_rejected", "n_tokens_rejected")
RESULTS = {"metric_score": pa.float64(), "rank": pa.int64(), "selected": pa.bool_()}
ROWS_IN_GROUP = 100_000
READERS = 2  # row groups read at once; Arrow's own threads may outlive the interpreter, which then aborts at its exit


def rank_file(source: Path, out: Path, rule: Selection, seed: int = 0) -> dict[str, int]:
    """Write the k best pairs of `source` by the rule's metric to `out`, best first, with metric_score and rank.

    `source` has the columns of train.parquet that are needed: scores, log-probabilities, numbers of tokens, pair_id;
    all others come along. Read by row groups, twice: the numbers of all, then the rows that are kept. Returns the
    books: pairs in, not_finite (of which a margin is no finite number; they leave), selected. Raises `UserError`.
    """
    metric = metric_of(rule.metric)
    if rule.alpha == "auto" and "alpha" in metric.inputs:
        raise UserError("alpha = 'auto' looks at all responses of a run. For a file of pairs give a number.")
    with _opened(source) as file:
        known, finite = _known(file, source, rule, seed)
        n_in, n = file.metadata.num_rows, len(finite)
        if not n:
            raise UserError(f"{source}: none of its {n_in} pairs has margins to rank by.")
        known["pair_ids"] = _pair_ids(file, source, finite).astype(np.str_) if "pair_ids" in metric.inputs else finite
        scores = score(metric, known, parameters_of(rule, metric))
        del known
        k = count_of(rule.k, n)
        best = best_first(scores, k, lambda at: _pair_ids(file, source, finite[at]))
        rows, order = _rows(file, source, finite[best])
    schema = pa.schema([*rows.schema, *RESULTS.items()])
    write_parquet(out, schema, _in_order(rows, order, scores[best], schema))
    return {"in": n_in, "not_finite": n_in - n, "selected": k}


def _opened(source: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(source, memory_map=True)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{source} can't be read as parquet ({error}).") from error
    lacking = [name for name in (*SCORES, *LOGP, "pair_id") if name not in file.schema_arrow.names]
    if lacking:
        raise UserError(
            f"{source} lacks {', '.join(lacking)}: expected the columns of a train.parquet. It has "
            f"{', '.join(file.schema_arrow.names)}."
        )
    return file


def _known(file: pq.ParquetFile, source: Path, rule: Selection, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """What metrics may ask of the pairs whose margins are finite, and where these pairs are. Few row groups' columns
    are in memory at a time beside the numbers.
    """
    names = [name for name in NUMBERS if name in file.schema_arrow.names]
    columns = {name: np.empty(file.metadata.num_rows) for name in names}
    finite = np.empty(file.metadata.num_rows, bool)

    def fill(group: pa.Table, start: int, end: int) -> None:
        here = {name: values[start:end] for name, values in columns.items()}
        for name, values in here.items():
            values[:] = group[name].to_numpy()
        finite[start:end] = np.isfinite(explicit_margin(*(here[name] for name in SCORES)))
        finite[start:end] &= np.isfinite(implicit_margin(*(here[name] for name in LOGP)))

    _each_group(file, source, names, [*_groups(file)], fill)
    at = np.flatnonzero(finite)
    if len(at) < len(finite):
        columns = {name: values[at] for name, values in columns.items()}
    return known_of_columns(columns, (), rule, seed), at


def _pair_ids(file: pq.ParquetFile, source: Path, places: np.ndarray) -> np.ndarray:
    """The ids of the pairs at `places`, in that order."""
    parts, order = _taken(file, source, places, ["pair_id"])
    ids = np.concatenate([np.empty(0, "S1"), *(np.array(part["pair_id"].to_pylist(), "S") for part in parts)])
    return ids[order]


def _rows(file: pq.ParquetFile, source: Path, places: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """All columns but results of the pairs at `places`, in the order of the file, and where each of `places` is."""
    parts, order = _taken(file, source, places, [name for name in file.schema_arrow.names if name not in RESULTS])
    return pa.concat_tables(parts).combine_chunks(), order


def _in_order(rows: pa.Table, order: np.ndarray, scores: np.ndarray, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows by `order`, with scores and ranks, a row group at a time; the next is made while one is written."""

    def group(start: int) -> pa.Table:
        taken = rows.take(order[start : start + ROWS_IN_GROUP])
        n = len(taken)
        found = (scores[start : start + n], np.arange(start, start + n), np.ones(n, bool))
        return pa.Table.from_arrays([*taken.columns, *(pa.array(values) for values in found)], schema=schema)

    starts = range(0, len(order), ROWS_IN_GROUP)
    with ThreadPoolExecutor(1) as ahead:
        following = ahead.submit(group, 0)
        for start in starts:
            found = following.result()
            if start + ROWS_IN_GROUP < len(order):
                following = ahead.submit(group, start + ROWS_IN_GROUP)
            yield found


def _taken(
    file: pq.ParquetFile, source: Path, places: np.ndarray, names: list[str]
) -> tuple[list[pa.Table], np.ndarray]:
    """The rows at `places` in the order of the file, group by group; and where each of `places` is among them."""
    wanted = np.zeros(file.metadata.num_rows, bool)
    wanted[places] = True
    back = np.cumsum(wanted, dtype=np.int64)[places] - 1
    groups = [group for group in _groups(file) if wanted[slice(*group[1:])].any()]

    def take(group: pa.Table, start: int, end: int) -> pa.Table:
        return group.take(np.flatnonzero(wanted[start:end]))

    return _each_group(file, source, names, groups, take), back


def _each_group(
    file: pq.ParquetFile,
    source: Path,
    names: list[str],
    groups: list[tuple[int, int, int]],
    do: Callable[[pa.Table, int, int], Any],
) -> list[Any]:
    """What `do` makes of columns of row groups and their first rows and ends, in order. A file is no matter of several
    threads: each read opens it anew, which costs nothing where the metadata are there.
    """

    def read(group: tuple[int, int, int]) -> Any:
        number, start, end = group
        with pq.ParquetFile(source, metadata=file.metadata, memory_map=True) as opened:
            return do(opened.read_row_group(number, names, use_threads=False), start, end)

    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(read, groups))


def _groups(file: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Number, first row and end of each row group."""
    start = 0
    for number in range(file.metadata.num_row_groups):
        end = start + file.metadata.row_group(number).num_rows
        yield number, start, end
        start = end
