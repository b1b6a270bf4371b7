"""What a trainer reads: train.parquet and its kin, in TRL's explicit conversational form with all known of a pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.files import parquet_file
from evolve.pool.ids import Index, column_of, id_array
from evolve.pool.lookup import Lookup
from evolve.pool.schemas import MESSAGES
from evolve.views.evolved import Evolved
from evolve.views.outcome import Outcome, Ranking
from evolve.views.pairs import CHUNK, PAIR, Pairs, rows_at_once

SCHEMA = pa.schema(
    [
        ("prompt", MESSAGES),
        ("chosen", MESSAGES),
        ("rejected", MESSAGES),
        ("prompt_id", pa.string()),
        ("parent_id", pa.string()),
        ("strategy", pa.string()),
        ("source", pa.string()),  # initial (X) or evolved (X')
        ("iteration", pa.int32()),
        ("score_chosen", pa.float64()),
        ("score_rejected", pa.float64()),
        ("logp_chosen", pa.float64()),  # sum of log pi(y|x), nats, temperature 1
        ("logp_rejected", pa.float64()),
        ("n_tokens_chosen", pa.int32()),
        ("n_tokens_rejected", pa.int32()),
        ("reward_margin", pa.float64()),  # M_r
        ("implicit_margin", pa.float64()),  # M_pi, nats a token
        ("disagreement_chosen", pa.float64()),  # of the reward models, in standard deviations; null for one model
        ("disagreement_rejected", pa.float64()),
        ("metric_score", pa.float64()),  # of the run's metric; null for what was not ranked
        ("rank", pa.int64()),  # 0 is best
        ("selected", pa.bool_()),  # among the k best of the ranked set; null for what was not ranked
        ("pair_id", pa.string()),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
    ]
)

WEIGHT = pa.field("weight", pa.float64())  # last, and only where selection.weight names a metric: in [0, 1]
FLIPS = pa.field("flips", pa.int16())  # how many of several reward models order the pair the other way
REFERENCE = ("ref_logp_chosen", "ref_logp_rejected")  # sums of log p(y|x) of the reference model, nats


def schema_of(*parts: Pairs) -> pa.Schema:
    """The columns of a dataset: those of a reference model only where it has said something, FLIPS only where several
    reward models have.
    """
    schema = SCHEMA
    if any(np.isfinite(part.rows[name]).any() for part in parts for name in REFERENCE):
        for name in REFERENCE:
            schema = schema.insert(schema.get_field_index("n_tokens_chosen"), pa.field(name, pa.float64()))
    if any((part.rows["flips"] >= 0).any() for part in parts):
        schema = schema.insert(schema.get_field_index("metric_score"), FLIPS)
    return schema


class Standings:
    """Score, rank and whether it was selected, of every pair that was ranked; nulls for others."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        self._index = Index(ranking.pairs.id_array)
        self._rank = np.empty(len(ranking.ids), np.int64)
        self._rank[ranking.order] = np.arange(len(ranking.ids))
        self._selected = pa.array(ranking.is_selected)

    def of(self, pair_ids: np.ndarray) -> dict[str, pa.Array]:
        at = self._index.find(pair_ids)
        places = pa.array(at, mask=at < 0)
        return {
            "metric_score": pa.array(self._ranking.scores).take(places),
            "rank": pa.array(self._rank).take(places),
            "selected": self._selected.take(places),
        }


class Origins:
    """Parent and strategy of the prompts of X'. Not the pool's to say: there a prompt may be the rewrite of several."""

    def __init__(self, evolved: Evolved) -> None:
        self._index = Index(id_array(evolved.ids))
        self._parents = pa.array(evolved.parent_ids, pa.string())
        self._strategies = pa.array(evolved.strategies, pa.string())

    def of(self, prompt_ids: np.ndarray) -> dict[str, pa.Array]:
        at = self._index.find(prompt_ids)
        places = pa.array(at, mask=at < 0)
        return {
            "parent_id": self._parents.take(places),
            "strategy": self._strategies.take(places),
            "source": pc.if_else(pa.array(at < 0), "initial", "evolved"),
        }


@dataclass(frozen=True)
class Texts:
    """The texts of a run: of prompts, and of responses, with the thoughts of a reasoning policy in front or without."""

    prompts: Lookup
    responses: Lookup
    with_thoughts: bool = False

    def said(self, response_ids: np.ndarray) -> pa.Array:
        """What is in the training set of each response, as messages."""
        rows = self.responses.fetch(response_ids, ["thoughts", "text"] if self.with_thoughts else ["text"])
        texts = rows["text"].combine_chunks()
        if self.with_thoughts:
            texts = pc.binary_join_element_wise(rows["thoughts"].combine_chunks().fill_null(""), texts, "")
        turns = pa.StructArray.from_arrays(
            [pa.repeat("assistant", len(texts)), texts], fields=list(MESSAGES.value_type)
        )
        return pa.ListArray.from_arrays(pa.array(np.arange(len(texts) + 1), pa.int32()), turns)


def write_sets(
    folder: Path,
    outcome: Outcome,
    origins: Origins,
    iteration: int,
    texts: Texts,
    weights: dict[str, float] | None = None,
) -> None:
    """Write train.parquet and selected.parquet of an iteration to `folder`, each in its order, with a column `weight`
    where there are weights by pair id. Texts are looked up some at a time: memory does not grow with the set. What was
    selected is the end of the training set, so it is put together once, for both.
    """
    standings, parts = Standings(outcome.ranking), (outcome.unselected, outcome.selected)
    schemas = [schema_of(*parts), schema_of(outcome.selected)]
    if weights is not None:
        schemas = [schema.append(WEIGHT) for schema in schemas]
    with (
        parquet_file(folder / "train.parquet", schemas[0], CHUNK) as to_train,
        parquet_file(folder / "selected.parquet", schemas[1], CHUNK) as to_selected,
    ):
        for pairs in parts:
            for table in _tables(pairs, standings, origins, iteration, texts, schema_of(*parts)):
                if weights is not None:
                    of_rows = [weights[one] for one in table["pair_id"].to_pylist()]
                    table = table.append_column(WEIGHT, pa.array(of_rows, WEIGHT.type))
                to_train(table)
                if pairs is outcome.selected:
                    to_selected(table.select(schemas[1].names))


def _tables(
    pairs: Pairs, standings: Standings, origins: Origins, iteration: int, texts: Texts, schema: pa.Schema
) -> Iterator[pa.Table]:
    start, step = 0, CHUNK
    while start < len(pairs):
        part = pairs.part(start, start + step)
        asked = texts.prompts.fetch(part.rows["prompt_id"], ["messages"])["messages"].combine_chunks()
        said = texts.said(np.concatenate([part.rows["chosen_id"], part.rows["rejected_id"]]))
        known = {"prompt": asked, "chosen": said[: len(part)], "rejected": said[len(part) :]}
        known |= {"iteration": pa.repeat(pa.scalar(iteration, pa.int32()), len(part))}
        ids = part.id_array
        known |= _numbers(part, ids, schema) | standings.of(ids) | origins.of(part.rows["prompt_id"])
        start, step = start + len(part), rows_at_once(len(part), asked.nbytes + said.nbytes)
        yield pa.Table.from_arrays([known[field.name] for field in schema], schema=schema)


def _numbers(part: Pairs, pair_ids: np.ndarray, schema: pa.Schema) -> dict[str, pa.Array]:
    names = [name for name in PAIR.names or () if name in schema.names]
    found: dict[str, np.ndarray] = {name: part.rows[name] for name in names} | {"pair_id": pair_ids}
    found |= {"reward_margin": part.explicit, "implicit_margin": part.implicit}
    return {
        name: column_of(values)
        if name.endswith("_id")
        else pa.array(np.ascontiguousarray(values), schema.field(name).type, from_pandas=True)
        for name, values in found.items()
    }
