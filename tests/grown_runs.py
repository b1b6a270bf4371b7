"""A small dataset grown with the embedded models on the real engine: what trainers are to make of real rows."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fake_runs import pool_rows
from places import ROOT

EMBEDDED = ROOT / "recipes" / "embedded"
POLICY = EMBEDDED / "policy"
N_PROMPTS = 15  # of the embedded ones, of all kinds that they have
BIRDS = "Name 3 birds."
FURTHER: list[Any] = [
    [{"role": "system", "content": "You are a kind assistant."}, {"role": "user", "content": BIRDS}],
    [
        {"role": "user", "content": BIRDS},
        {"role": "assistant", "content": "Owl, duck, hen."},
        {"role": "user", "content": "Give me 2 more."},
    ],
    "  Name 4 fruits. \n",
]
PATIENCE = 570  # seconds; ten or twenty on a machine that does nothing else


@dataclass(frozen=True)
class Grown:
    """The dataset's folder, and all responses of the pool by id, with the token ids that were sampled."""

    folder: Path
    responses: dict[str, dict[str, Any]]

    @property
    def parquet(self) -> str:
        return str(self.folder / "train.parquet")

    @property
    def train(self) -> list[dict[str, Any]]:
        return list(pq.read_table(self.parquet).to_pylist())

    def sampled(self, pair: dict[str, Any], side: str) -> dict[str, Any]:
        """The response that is the chosen or the rejected one of a pair."""
        return self.responses[pair[f"{side}_id"]]


def grow_small(folder: Path) -> Grown:
    """Run the default recipe on a few prompts. Few tokens a response: some losers are cut off."""
    lines = (EMBEDDED / "prompts.jsonl").read_text(encoding="utf-8").splitlines()[:N_PROMPTS]
    lines += [json.dumps({"prompt": one}) for one in FURTHER]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {
        "prompts.source": folder / "prompts.jsonl",
        "prompts.limit": len(lines),
        "policy.keep_token_ids": "true",
        "evolve.strategies": '["constraints", "deepen"]',
        "sampling.max_tokens": 32,
        "selection.k": "100%",
    }
    command = [sys.executable, "-m", "evolve", "run", "default", "--run", str(folder / "run")]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    (dataset,) = folder.glob("run/iteration-1/*/*")
    responses = [json.loads(row) for row in pool_rows(folder / "run")["responses"]]
    return Grown(dataset, {row["id"]: row for row in responses})
