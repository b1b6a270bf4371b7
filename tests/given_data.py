"""Existing preference data made up for tests, scored by the fake policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evolve.api import Dataset
from evolve.executors.forced import score_data
from evolve.recipe.given import given_recipe
from evolve.recipe.resolved import Resolved
from evolve.watch.tally import Tally

N = 20


def pair(i: int, **also: Any) -> dict[str, Any]:
    return {
        "prompt": f"Question {i}?",
        "chosen": f"A good answer to {i}, with reasons.",
        "rejected": f"A bad one number {i}.",
        "score_chosen": 5.0 + i % 3,
        "score_rejected": 4.0 - i % 5,
    } | also


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def score(
    data: Path, folder: Path, changes: dict[str, Any] | None = None, *, all_responses: bool = False, **how: Any
) -> tuple[Resolved, Tally]:
    """`evolve score DATA --policy fake` in a context of 4,000 tokens."""
    tally, truncate = Tally(), how.pop("truncate", False)
    changes = {"policy.max_model_len": 4_000} | (changes or {})
    recipe = given_recipe(str(data), policy="fake", truncate=truncate, changes=changes, **how)
    resolved = score_data(
        recipe,
        folder,
        named={},
        all_responses=all_responses,
        head="float32",
        truncate=truncate,
        batch_tokens=None,
        tally=tally,
    )
    return resolved, tally


def train(dataset: Dataset) -> list[dict[str, Any]]:
    return pq.read_table(dataset.folder / "train.parquet").to_pylist()
