"""All responses of a recipe's policy with what each reward model said of them: nothing paid for is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from evolve.exports.lines import write_lines
from evolve.pool.lookup import Lookup
from evolve.run import Run
from evolve.views.evolved import first_origins


def write(run: Run, out: Path) -> str:
    """Write the responses of the run to the file `out`; returns a line that says so."""
    return f"{out}: {write_lines(out, _responses(run)):,} responses with their scores"


def _responses(run: Run) -> Iterator[dict[str, Any]]:
    scores = {maker.model: Lookup(run.pool.rewards(maker.id), "response_id") for maker in run.rewards}
    prompts = Lookup(run.pool.prompts, "id")
    origins = first_origins(run.pool, run.prompts, run.templates)
    columns = ["id", "prompt_id", "sample_index", "text", "n_tokens", "logp", "finish_reason"]
    thoughts = ["thoughts", "thought_tokens", "thought_logp"]
    for part in run.pool.responses(run.sampler.id).scan(columns + thoughts):
        rows = part.filter(pc.greater_equal(part["sample_index"], 0)).to_pylist()
        there = prompts.there([row["prompt_id"] for row in rows])  # not where its prompt was lost
        rows = list(itertools.compress(rows, there))
        asked = prompts.fetch([row["prompt_id"] for row in rows], ["messages"]).to_pylist()
        said = {model: _scores(lookup, [row["id"] for row in rows]) for model, lookup in scores.items()}
        for i, (row, prompt) in enumerate(zip(rows, asked, strict=True)):
            if row["thoughts"] is None:
                for name in thoughts:
                    del row[name]
            parent_id, strategy = origins.get(row["prompt_id"], ("", ""))
            yield (
                {"prompt": prompt["messages"], "response": row.pop("text")}
                | row
                | {"parent_id": parent_id, "strategy": strategy}
                | {"scores": {model: of_model[i] for model, of_model in said.items()}}
            )


def _scores(lookup: Lookup, response_ids: list[str]) -> list[dict[str, Any] | None]:
    """Score, objectives and gate weights of each response, None where it has not been scored."""
    known = list(itertools.compress(response_ids, lookup.there(response_ids)))
    rows = lookup.fetch(known, ["score", "objectives", "weights", "error"]).to_pylist()
    found = dict(zip(known, rows, strict=True))
    return [found.get(identity) for identity in response_ids]
