"""What does a view of a large pool cost? `evolve select` on a million prompts, in a process of its own.

The pool is made once, with the fake engine and the fake reward, and kept in `--folder`: later calls measure it again.
Printed of each round: seconds, CPU seconds and the peak memory of the whole command, its start included; then what its
manifest says of the stages.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.pool import generated
from evolve.api import execute
from evolve.recipe.sections import Recipe
from prompts import STRATEGIES


def main() -> None:
    arguments = _arguments()
    run = Path(arguments.folder) / f"prompts-{arguments.prompts}-n{arguments.n}-s{arguments.strategies}"
    if not any(run.glob("iteration-1/*/*/manifest.json")):
        make(run, arguments)
    rounds = [measured(run, arguments.metric) for _ in range(arguments.rounds)]
    for seconds, cpu, mib in rounds:
        print(f"{seconds:8.1f} s {cpu:8.1f} CPU s {mib:8,.0f} MiB   load {os.getloadavg()[0]:.1f}")
    middle = [statistics.median(column) for column in zip(*rounds, strict=True)]
    print(f"median {middle[0]:.1f} s, {middle[1]:.1f} CPU s, {middle[2]:,.0f} MiB")
    (manifest,) = run.glob(f"iteration-1/*/{arguments.metric}-*/manifest.json")
    said = json.loads(manifest.read_text(encoding="utf-8"))
    print({name: stage["seconds"] for name, stage in said["stages"].items()}, {"train": said["rows"]["train"]["in"]})


def make(run: Path, arguments: argparse.Namespace) -> None:
    """Grow and score a pool."""
    run.mkdir(parents=True, exist_ok=True)
    source = run / "prompts.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for prompt in generated(arguments.prompts, arguments.words):
            file.write(json.dumps({"prompt": prompt.messages[0]["content"]}) + "\n")
    recipe = Recipe.model_validate(
        {
            "name": "view",
            "prompts": {"source": str(source)},
            "policy": {"model": "fake"},
            "reward": {"model": "fake"},
            "evolve": {"strategies": STRATEGIES[: arguments.strategies]},
            "sampling": {"n": arguments.n},
        }
    )
    execute(recipe, run, 1, view_only=False)


def measured(run: Path, metric: str) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MiB of one `evolve select`."""
    command = [sys.executable, "-m", "evolve", "select", str(run), "--metric", metric]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 1)])
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    os.close(nowhere)
    if status:
        raise SystemExit(f"{' '.join(command)} failed.")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--n", type=int, default=2, help="responses to each prompt")
    parser.add_argument("--strategies", type=int, default=1, help="how many of the five strategies")
    parser.add_argument("--words", type=int, default=12, help="words of a prompt")
    parser.add_argument("--metric", default="eva")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default="view-benchmark", help="where the pool is made and stays")
    return parser.parse_args()


if __name__ == "__main__":
    main()
