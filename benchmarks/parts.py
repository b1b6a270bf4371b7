"""Do views slow down with the number of parts? The same rows in few parts, in thousands, and in thousands merged.

The pools are made with the fake engine and the fake reward; each view (`evolve select`, in a process of its own, start
included) is timed in turn, one round after the other. Printed: parts, medians and ratios to the few.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import evolve.pool.compaction
import evolve.pool.table
from evolve.api import execute
from evolve.pool.compaction import compact
from evolve.pool.pool import Pool
from evolve.recipe.sections import Recipe
from prompts import STRATEGIES

WORDS = (
    "river stone cloud green seven table write list short story compare explain count sort rhyme letter number"
).split()


def main() -> None:
    arguments = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="parts-benchmark-", dir=arguments.folder))
    try:
        source = folder / "prompts.txt"
        rng = random.Random(0)
        lines = [f"Task {i}: {' '.join(rng.choices(WORDS, k=12))}" for i in range(arguments.prompts)]
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        evolve.pool.compaction.SMALL_PARTS = 10**9  # nothing is merged unasked
        runs = {"few parts": _made(folder / "few", source, 5_000, arguments)}
        runs["many parts"] = _made(folder / "many", source, arguments.rows_per_part, arguments)
        runs["many, merged"] = shutil.copytree(runs["many parts"], folder / "merged")
        _merge(runs["many, merged"])
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                seconds[name].append(_select(run))
        few = statistics.median(seconds["few parts"])
        print(f"{'':14} {'parts':>7} {'seconds of the rounds':>30} {'median':>8} {'ratio':>6}")
        for name, run in runs.items():
            median = statistics.median(seconds[name])
            told = " ".join(f"{one:.2f}" for one in seconds[name])
            print(f"{name:14} {_n_parts(run):>7,} {told:>30} {median:>8.2f} {median / few:>6.2f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(run: Path, source: Path, rows_per_part: int, arguments: argparse.Namespace) -> Path:
    evolve.pool.table.ROWS_PER_PART = rows_per_part
    recipe = Recipe.model_validate(
        {
            "name": "parts",
            "prompts": {"source": str(source)},
            "policy": {"model": "fake"},
            "reward": {"model": "fake"},
            "evolve": {"strategies": STRATEGIES[: arguments.strategies]},
            "sampling": {"n": arguments.n},
        }
    )
    execute(recipe, run, 1, view_only=False)
    return run


def _merge(run: Path) -> None:
    evolve.pool.compaction.SMALL_PARTS = 64
    pool = Pool(run / "pool")
    for table in (pool.prompts, *map(pool.responses, pool.sampler_ids()), *map(pool.rewards, pool.reward_ids())):
        table.own()
        compact(table)
        table.own()  # what was merged goes


def _n_parts(run: Path) -> int:
    return len(list((run / "pool").rglob("*.parquet")))


def _select(run: Path) -> float:
    command = [sys.executable, "-m", "evolve", "select", str(run), "--metric", "eva"]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=2, help="responses to each prompt")
    parser.add_argument("--strategies", type=int, default=5, help="how many of the five strategies")
    parser.add_argument("--rows-per-part", type=int, default=70, help="of the many parts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the pools are made, and removed again")
    return parser.parse_args()


if __name__ == "__main__":
    main()
