"""All responses of a recipe's policy with what each reward model said of them: nothing paid for is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from evolve.exports.lines import write_lines
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.recipe.identity import rewards_of, sampler_of
from evolve.recipe.sections import Recipe


def write(run_folder: Path, recipe: Recipe, out: Path) -> str:
    """Write the responses of the run to the file `out`; returns a line that says so."""
    return f"{out}: {write_lines(out, _responses(run_folder, recipe)):,} responses with their scores"


def _responses(run_folder: Path, recipe: Recipe) -> Iterator[dict[str, Any]]:
    pool = Pool(run_folder / "pool")
    sampler = sampler_of(recipe)
    scores = {maker.model: Lookup(pool.rewards(maker.id), "response_id") for maker in rewards_of(recipe)}
    prompts = Lookup(pool.prompts, "id")
    columns = ["id", "prompt_id", "sampler_id", "sample_index", "text", "n_tokens", "logp", "finish_reason"]
    for part in pool.responses.scan(columns):
        part = part.filter(pc.and_(pc.equal(part["sampler_id"], sampler.id), pc.greater_equal(part["sample_index"], 0)))
        rows = part.drop_columns(["sampler_id"]).to_pylist()
        asked = prompts.fetch([row["prompt_id"] for row in rows], ["messages", "parent_id", "strategy"]).to_pylist()
        said = {model: _scores(lookup, [row["id"] for row in rows]) for model, lookup in scores.items()}
        for i, (row, prompt) in enumerate(zip(rows, asked, strict=True)):
            yield (
                {"prompt": prompt.pop("messages"), "response": row.pop("text")}
                | row
                | prompt
                | {"scores": {model: of_model[i] for model, of_model in said.items()}}
            )


def _scores(lookup: Lookup, response_ids: list[str]) -> list[dict[str, Any] | None]:
    """Score, objectives and gate weights of each response, None where it has not been scored."""
    known = [identity for identity in response_ids if identity in lookup]
    rows = lookup.fetch(known, ["score", "objectives", "weights", "error"]).to_pylist()
    found = dict(zip(known, rows, strict=True))
    return [found.get(identity) for identity in response_ids]
