"""Whole runs with the fake policy and the fake reward model, in the test's own process."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolve.datasets.folder import write_outcome
from evolve.pool.pool import Pool
from evolve.recipe.loading import override_recipe
from evolve.recipe.sections import Recipe
from evolve.run import Run
from evolve.views.outcome import Outcome

WORDS = (
    "explain describe compare list write draft sort count translate summarize why how river engine garden letter "
    "planet recipe budget violin harbor glacier library winter market teacher student kitchen railway forest"
).split()


def prompt(i: int) -> str:
    """The i-th of endlessly many different prompts, 8 to 20 words long."""
    rng = random.Random(i)
    return f"Task {i}: " + " ".join(rng.choices(WORDS, k=rng.randrange(6, 18)))


def write_source(path: Path, prompts: list[Any]) -> Path:
    """A .jsonl file with one prompt (text or messages) a line."""
    path.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts), encoding="utf-8")
    return path


def fake_recipe(source: Path, **settings: Any) -> Recipe:
    """The fakes on the prompts of `source`; settings are given as sampling__n=3 for sampling.n."""
    data = {
        "name": "fake",
        "prompts": {"source": str(source)},
        "policy": {"model": "fake"},
        "reward": {"model": "fake"},
    }
    overrides = {key.replace("__", "."): value for key, value in settings.items()}
    return override_recipe(data, overrides, "the test's recipe")


# Prompts of which some leave at every stage: a duplicate, an empty one, one longer than the policy's context.
N_PROMPTS = 24
CONTEXT = 4_000
TOO_LONG = "Task 999: " + "long " * 900
SOME_LEAVE = [*map(prompt, range(N_PROMPTS)), prompt(3).upper() + ".", "  ", TOO_LONG]


def some_leave(source: Path, **settings: Any) -> Recipe:
    """The fakes on SOME_LEAVE, in a context that one of them exceeds."""
    return fake_recipe(source, **{"policy__max_model_len": CONTEXT} | settings)


@dataclass(frozen=True)
class Made:
    """A finished dataset, where it lies and what it says of itself."""

    folder: Path
    outcome: Outcome
    manifest: dict[str, Any]

    @property
    def run(self) -> Path:
        return self.folder.parents[2]

    @property
    def train(self) -> pa.Table:
        return pq.read_table(self.folder / "train.parquet")

    @property
    def selected(self) -> pa.Table:
        return pq.read_table(self.folder / "selected.parquet")

    @property
    def calls(self) -> dict[str, int]:
        calls: dict[str, int] = self.manifest["model_calls"]
        return calls


NO_CALLS = {"rewrite": 0, "sample": 0, "reward": 0}


def make(recipe: Recipe, folder: Path, iteration: int = 1, view_only: bool = False) -> Made:
    """`evolve run` (or `evolve select`) without the command line."""
    run = Run(recipe, folder, iteration, view_only)
    outcome = run.execute()
    written, _ = write_outcome(run, outcome)
    run.pool.close()
    return Made(written, outcome, json.loads((written / "manifest.json").read_text(encoding="utf-8")))


def balanced(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest's books by stage, each of which must account for all its rows."""
    rows: dict[str, Any] = manifest["rows"]
    for stage, book in rows.items():
        assert book["in"] == book["kept"] + sum(book["dropped"].values()), stage
    return rows


def pool_rows(folder: Path) -> dict[str, list[str]]:
    """All rows of a run's pool by table, each as JSON, sorted: equal for equal sets of rows."""
    pool = Pool(folder / "pool")
    tables = {"prompts": [pool.prompts], "responses": [pool.responses(one) for one in pool.sampler_ids()]}
    tables["rewards"] = [pool.rewards(reward_id) for reward_id in pool.reward_ids()]
    rows = {
        name: sorted(
            json.dumps(row, sort_keys=True)
            for table in of_kind
            for part in table.scan(table.schema.names)
            for row in part.to_pylist()
        )
        for name, of_kind in tables.items()
    }
    pool.close()
    return rows


def made_so_far(folder: Path) -> dict[str, int]:
    """What models have made so far, in the terms of `model_calls`."""
    rows = pool_rows(folder)
    rewrites = sum(bool(json.loads(row)["parent_id"]) for row in rows["prompts"])
    return {"rewrite": rewrites, "sample": len(rows["responses"]), "reward": len(rows["rewards"])}
