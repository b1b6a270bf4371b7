"""Datasets in the forms that trainers read. Each form is one function from a row of train.parquet to a JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolve import identity
from evolve.files import whole_file
from evolve.lookup import Lookup
from evolve.output import find_dataset
from evolve.pool import Pool
from evolve.recipe import Recipe
from prompts.errors import UserError


def trl(row: dict[str, Any]) -> dict[str, Any]:
    """TRL's explicit conversational form, as in train.parquet, with nothing beside it."""
    return {name: row[name] for name in ("prompt", "chosen", "rejected")}


def openrlhf(row: dict[str, Any]) -> dict[str, Any]:
    """OpenRLHF: whole conversations in chosen and rejected, `margin` for its margin loss."""
    both = {name: row["prompt"] + row[name] for name in ("chosen", "rejected")}
    return both | {"margin": row["reward_margin"]}


def llamafactory(row: dict[str, Any]) -> dict[str, Any]:
    """LLaMA-Factory's ranking data in the sharegpt form with OpenAI tags."""
    return {"messages": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]}


FORMATS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "trl": trl,
    "openrlhf": openrlhf,
    "llamafactory": llamafactory,
}
LLAMAFACTORY_INFO = {
    "file_name": "train.jsonl",
    "formatting": "sharegpt",
    "ranking": True,
    "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


def export(run_folder: Path, iteration: int, recipe: Recipe, form: str, out: Path) -> str:
    """Write the dataset that `recipe` made as `form` to `out` and return a line that says what was written."""
    if form == "responses":
        n = _write_lines(out, _responses(run_folder, recipe))
        return f"{out}: {n:,} responses with their scores"
    if form not in FORMATS:
        raise UserError(f"No format {form!r}: expected one of {', '.join([*FORMATS, 'responses'])}.")
    source = find_dataset(run_folder, iteration, recipe) / "train.parquet"
    target = out / "train.jsonl" if form == "llamafactory" else out
    n = _write_lines(target, map(FORMATS[form], _rows(source)))
    if form == "llamafactory":
        info = {recipe.name: LLAMAFACTORY_INFO}
        with whole_file(out / "dataset_info.json") as file:
            file.write((json.dumps(info, indent=2) + "\n").encode())
    return f"{target}: {n:,} pairs for {form}"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for batch in pq.ParquetFile(path).iter_batches(1_000):
        yield from batch.to_pylist()


def _responses(run_folder: Path, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Every response of the recipe's policy with what each reward model said of it: nothing paid for is lost."""
    pool = Pool(run_folder / "pool")
    sampler = identity.sampler_of(recipe)
    scores = {maker.model: Lookup(pool.rewards(maker.id), "response_id") for maker in identity.rewards_of(recipe)}
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


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    n = 0
    with whole_file(path) as file:
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            n += 1
    return n
