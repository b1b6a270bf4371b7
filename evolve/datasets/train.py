"""What a trainer reads: train.parquet and its kin, in TRL's explicit conversational form with all known of a pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evolve.pool.files import write_parquet
from evolve.pool.lookup import Lookup
from evolve.pool.schemas import MESSAGES
from evolve.views.evolved import Evolved
from evolve.views.outcome import Outcome, Ranking
from evolve.views.pairs import CHUNK, PAIR, Pairs

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

REFERENCE = ("ref_logp_chosen", "ref_logp_rejected")  # sums of log p(y|x) of the reference model, nats


def schema_of(pairs: Pairs) -> pa.Schema:
    """The columns of a dataset: those of a reference model only where it has said something."""
    if not any(np.isfinite(pairs.rows[name]).any() for name in REFERENCE):
        return SCHEMA
    fields = list(SCHEMA)
    at = SCHEMA.get_field_index("n_tokens_chosen")
    return pa.schema([*fields[:at], *((name, pa.float64()) for name in REFERENCE), *fields[at:]])


def _standings(ranking: Ranking) -> dict[str, dict[str, Any]]:
    """Score, rank and whether it was selected, of every pair that was ranked, by pair id."""
    return {
        ranking.ids[i]: {"metric_score": float(ranking.scores[i]), "rank": place, "selected": place < ranking.k}
        for place, i in enumerate(ranking.order)
    }


NOT_RANKED = {"metric_score": None, "rank": None, "selected": None}


class Origins:
    """Parent and strategy of the prompts of X'. Not the pool's to say: there a prompt may be the rewrite of several."""

    def __init__(self, evolved: Evolved) -> None:
        self._evolved = evolved
        self._at = {prompt_id: i for i, prompt_id in enumerate(evolved.ids)}

    def of(self, prompt_id: str) -> dict[str, Any]:
        i = self._at.get(prompt_id)
        if i is None:
            return {"parent_id": None, "strategy": None, "source": "initial"}
        return {
            "parent_id": self._evolved.parent_ids[i],
            "strategy": self._evolved.strategies[i],
            "source": "evolved",
        }


@dataclass(frozen=True)
class Texts:
    """The texts of a run: of prompts, and of responses, with the thoughts of a reasoning policy in front or without."""

    prompts: Lookup
    responses: Lookup
    with_thoughts: bool = False

    def said(self, response_ids: list[str]) -> list[str]:
        """What is in the training set of each response."""
        if not self.with_thoughts:
            return list(self.responses.fetch(response_ids, ["text"])["text"].to_pylist())
        rows = self.responses.fetch(response_ids, ["thoughts", "text"]).to_pylist()
        return [(row["thoughts"] or "") + row["text"] for row in rows]


def write_pairs(path: Path, pairs: Pairs, outcome: Outcome, iteration: int, texts: Texts) -> None:
    """Write `pairs` of an iteration in their order. Texts are looked up chunk by chunk: memory does not grow with the
    set.
    """
    standings, origins = _standings(outcome.ranking), Origins(outcome.evolved)
    schema = schema_of(pairs)
    write_parquet(path, schema, _tables(pairs, standings, origins, iteration, texts, schema))


def _tables(
    pairs: Pairs,
    standings: dict[str, dict[str, Any]],
    origins: Origins,
    iteration: int,
    texts: Texts,
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    ids = pairs.ids
    for start in range(0, len(pairs), CHUNK):
        part = pairs.take(range(start, min(start + CHUNK, len(pairs))))
        prompt_ids = part.column("prompt_id")
        asked = texts.prompts.fetch(prompt_ids, ["messages"])["messages"].to_pylist()
        chosen = texts.said(part.column("chosen_id"))
        rejected = texts.said(part.column("rejected_id"))
        rows = []
        for i, (prompt, good, bad) in enumerate(zip(asked, chosen, rejected, strict=True)):
            rows.append(
                {
                    "prompt": prompt,
                    "chosen": [{"role": "assistant", "content": good}],
                    "rejected": [{"role": "assistant", "content": bad}],
                    "prompt_id": prompt_ids[i],
                    "iteration": iteration,
                    "pair_id": ids[start + i],
                }
                | origins.of(prompt_ids[i])
                | standings.get(ids[start + i], NOT_RANKED)
            )
        yield _with_numbers(rows, part, schema)


def _with_numbers(rows: list[dict[str, Any]], part: Pairs, schema: pa.Schema) -> pa.Table:
    known: dict[str, Any] = {"reward_margin": part.explicit, "implicit_margin": part.implicit}
    known |= {name: part.column(name) for name in ("chosen_id", "rejected_id")}
    known |= {name: part.rows[name] for name in PAIR.names or () if name in schema.names and not name.endswith("_id")}
    columns = [
        pa.array(known[field.name], field.type, from_pandas=True)
        if field.name in known
        else pa.array([row[field.name] for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
