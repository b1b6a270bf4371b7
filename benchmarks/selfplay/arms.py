"""The arms: what each trains on. All of a seed's are views of one pool, but for the further seed prompts, a second one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from evolve import Dataset, grow, load_recipe, select
from recipes.factory import EMBEDDED
from recipes.factory.world.instruction import draw_instruction

Pair = dict[str, Any]

# The arms of Table 1 (Algorithm 1) and Table 2 (Algorithm 2) beside D: what a view of the pool is given.
EVOLVED: dict[str, dict[str, Any]] = {
    "D + eva": {"selection.metric": "eva"},
    "D + eva, sampled": {"selection.metric": "eva", "selection.mode": "sample"},
    "D + M_AP": {"selection.metric": "map"},
    "D + random": {"selection.metric": "uniform"},
}
ALGORITHMS = {"1": "evolve-then-select", "2": "select-then-evolve"}


def write_prompts(path: Path, n: int, seed: int) -> None:
    """`n` different instructions of the training side, as a source of prompts."""
    rng, seen, lines = Random(f"selfplay {seed}"), set(), []
    while len(lines) < n:
        asked = draw_instruction(rng, False).messages()
        said = json.dumps(asked)
        if said not in seen:
            seen.add(said)
            lines.append(json.dumps({"prompt": asked}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def recipe_of(source: Path, policy: Path, n: int, seed: int, **more: Any) -> Any:
    """The default recipe on `n` prompts of `source`, with this policy and sampling seed."""
    changes = {
        "prompts.source": str(source),
        "prompts.limit": n,
        "policy.model": str(policy),
        "sampling.seed": seed,
    }
    return load_recipe("default", changes | more)


class Pools:
    """The pools of one seed under `folder`, grown where they are not there yet."""

    def __init__(self, folder: Path, policy: Path, n: int, seed: int) -> None:
        self.folder, self.policy, self.n, self.seed = folder, policy, n, seed
        self.source = folder / "prompts.jsonl"

    def grow(self) -> None:
        """X with its rewrites, and as many further prompts without."""
        if not self.source.exists():
            write_prompts(self.source, 2 * self.n, self.seed)
        grow(recipe_of(self.source, self.policy, self.n, self.seed), self.folder / "run")
        further = {"prompts.draw": 2, "algorithm": "select-only", "selection.k": "100%"}
        grow(recipe_of(self.source, self.policy, self.n, self.seed, **further), self.folder / "further")

    def arms(self) -> Iterator[tuple[str, list[Pair]]]:
        """(name, pairs) of every arm; a name ends in the algorithm's number where there are two."""
        run = self.folder / "run"
        first = list(select(run, EVOLVED["D + M_AP"]).pairs())
        initial = [p for p in first if p["source"] == "initial"]
        yield "D", initial
        yield "D + seed prompts", initial + list(select(self.folder / "further").pairs())
        for number, algorithm in ALGORITHMS.items():
            for name, changes in EVOLVED.items():
                if (number, name) != ("2", "D + eva, sampled") or True:
                    yield f"{name} ({number})", list(select(run, {"algorithm": algorithm, **changes}).pairs())
