"""Rank a file of scored pairs and keep its k best: parquet to parquet, with memory for a few numbers a pair."""

from __future__ import annotations

from collections.abc import Iterator
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
        known, finite = _known(file, rule, seed)
        n_in, n = file.metadata.num_rows, len(finite)
        if not n:
            raise UserError(f"{source}: none of its {n_in} pairs has margins to rank by.")
        known["pair_ids"] = _pair_ids(file, finite).astype(np.str_) if "pair_ids" in metric.inputs else finite
        scores = score(metric, known, parameters_of(rule, metric))
        del known
        k = count_of(rule.k, n)
        best = best_first(scores, k, lambda at: _pair_ids(file, finite[at]))
        rows = _rows(file, finite[best], scores[best])
    write_parquet(out, rows.schema, [rows], ROWS_IN_GROUP)
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


def _known(file: pq.ParquetFile, rule: Selection, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """What metrics may ask of the pairs whose margins are finite, and where these pairs are. One row group's columns
    are in memory at a time beside the numbers.
    """
    names = [name for name in NUMBERS if name in file.schema_arrow.names]
    columns = {name: np.empty(file.metadata.num_rows) for name in names}
    for number, start, end in _groups(file):
        # One thread, here and below: Arrow's others may outlive the interpreter, which then aborts at its exit.
        group = file.read_row_group(number, names, use_threads=False)
        for name, values in columns.items():
            values[start:end] = group[name].to_numpy()
    finite = np.isfinite(explicit_margin(*(columns[name] for name in SCORES)))
    finite &= np.isfinite(implicit_margin(*(columns[name] for name in LOGP)))
    at = np.flatnonzero(finite)
    if len(at) < len(finite):
        columns = {name: values[at] for name, values in columns.items()}
    return known_of_columns(columns, (), rule, seed), at


def _pair_ids(file: pq.ParquetFile, places: np.ndarray) -> np.ndarray:
    """The ids of the pairs at `places`, in that order."""
    parts, order = _taken(file, places, ["pair_id"])
    ids = np.concatenate([np.empty(0, "S1"), *(np.array(part["pair_id"].to_pylist(), "S") for part in parts)])
    return ids[order]


def _rows(file: pq.ParquetFile, places: np.ndarray, scores: np.ndarray) -> pa.Table:
    """All columns of the pairs at `places`, in that order, with their scores and ranks."""
    names = [name for name in file.schema_arrow.names if name not in RESULTS]
    parts, order = _taken(file, places, names)
    rows = pa.concat_tables(parts).take(order)
    found = (scores, np.arange(len(places)), np.ones(len(places), bool))
    for (name, kind), values in zip(RESULTS.items(), found, strict=True):
        rows = rows.append_column(name, pa.array(values, kind))
    return rows


def _taken(file: pq.ParquetFile, places: np.ndarray, names: list[str]) -> tuple[list[pa.Table], np.ndarray]:
    """The rows at `places` in the order of the file, group by group; and where each of `places` is among them."""
    order = np.argsort(places, kind="stable")
    inside, parts = places[order], []
    for number, start, end in _groups(file):
        wanted = inside[slice(*np.searchsorted(inside, (start, end)))] - start
        if len(wanted):
            parts.append(file.read_row_group(number, names, use_threads=False).take(wanted))
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return parts, back


def _groups(file: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Number, first row and end of each row group."""
    start = 0
    for number in range(file.metadata.num_row_groups):
        end = start + file.metadata.row_group(number).num_rows
        yield number, start, end
        start = end
