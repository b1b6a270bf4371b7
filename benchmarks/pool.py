"""Does the pool scale? Grow, annotate and select 10k, 100k, 1M prompts with an instant engine and an instant reward.

Each size runs in a process of its own, through the program's own parts: grower, pool on disk, reward worker, views,
train.parquet. Printed: rows a second (constant across sizes if nothing is superlinear) and the peak memory of each
phase above that of the idle program, in bytes a row. What is held per row are keys and numbers, never text, so bytes a
row must not grow with the length of the texts (`--words` makes prompts longer).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evolve.algorithms import evolve_then_select
from evolve.datasets.folder import write_outcome
from evolve.executors.local import run_jobs
from evolve.recipe.sections import Recipe
from evolve.run import Run
from evolve.workers.draw import add_initial
from generation.engines.fake import FakeChat, FakeEngine
from prompts import STRATEGIES, Prompt

PHASES = ("add", "grow", "annotate", "resume", "select", "write")
VOCABULARY = [f"{a}{b}" for a in "ba ce di fo gu la me ni po ru".split() for b in "ck ll mp nd rt st".split()]


def main() -> None:
    arguments = _arguments()
    if arguments.worker:
        print(json.dumps(measure(arguments.sizes[0], arguments)))
        return
    print(
        f"{arguments.n} responses a prompt, {arguments.strategies} of 5 strategies, prompts of {arguments.words} words"
    )
    for size in arguments.sizes:
        command = [sys.executable, "-m", "benchmarks.pool", "--worker", str(size), "--folder", arguments.folder]
        command += ["--n", str(arguments.n), "--strategies", str(arguments.strategies), "--words", str(arguments.words)]
        report(size, json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]))


def report(size: int, result: dict[str, Any]) -> None:
    rows = result["rows"]
    total = sum(rows.values())
    print(f"\n{size:,} prompts: {total:,} rows (" + ", ".join(f"{n:,} {table}" for table, n in rows.items()) + "),")
    print(f"  {result['disk_bytes'] / total:,.0f} bytes a row on disk; idle program {result['idle_mib']:,} MiB")
    print(f"  {'phase':<10}{'seconds':>9}{'CPU s':>9}{'rows':>13}{'rows/s':>11}{'peak MiB':>10}{'bytes/row':>11}")
    of_phase = {
        "add": size,
        "grow": rows["prompts"] - size + rows["responses"],
        "annotate": rows["rewards"],
        "resume": rows["prompts"] + rows["responses"] + rows["rewards"],
        "select": rows["responses"],
        "write": result["train"],
    }
    for phase in PHASES:
        seconds, cpu, mib = result["phases"][phase]
        n = of_phase[phase]
        figures = f"{seconds:>9.1f}{cpu:>9.1f}{n:>13,}{n / seconds:>11,.0f}{mib:>10,}{mib * 2**20 / total:>11.0f}"
        print(f"  {phase:<10}{figures}")
    sys.stdout.flush()


def measure(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """All phases on a fresh folder. Seconds and peak MiB above the idle program of each."""
    folder = Path(tempfile.mkdtemp(prefix="pool-benchmark-", dir=arguments.folder))
    recipe = Recipe.model_validate(
        {
            "name": "pool",
            "prompts": {"source": "generated"},
            "policy": {"model": "fake"},
            "reward": {"model": "fake"},
            "evolve": {"strategies": STRATEGIES[: arguments.strategies]},
            "sampling": {"n": arguments.n},
        }
    )
    phases: dict[str, tuple[float, float, int]] = {}
    try:
        run = Run(recipe, folder)
        importlib.import_module("rewards.models.fake")  # imported late: not to be taken for memory of a phase
        idle = _memory("VmRSS")
        with run.pool.growing(run.sampler.id):
            with _phase(phases, "add", idle):
                ids = add_initial(run.pool, run.claims, generated(size, arguments.words))
            run.__dict__["prompts"] = ids  # X, which a run otherwise reads from its source
            with _phase(phases, "grow", idle):
                asyncio.run(_grow(run, ids))
            with _phase(phases, "annotate", idle):
                run.grow(sample=ids, rewrite=ids)
            resumed = Run(recipe, folder)
            resumed.__dict__["prompts"], resumed.n_source = ids, size
            with _phase(phases, "resume", idle):  # reads the index anew and finds nothing to do
                resumed.grow(sample=ids, rewrite=ids)
            with _phase(phases, "select", idle):  # views alone: pairs, guard, metric, top k
                outcome = evolve_then_select(resumed)
            with _phase(phases, "write", idle):
                write_outcome(resumed, outcome)
        rows = {"prompts": _rows(folder, "prompts"), "responses": _rows(folder, "responses")}
        rows["rewards"] = _rows(folder, "rewards")
        disk = sum(path.stat().st_size for path in (folder / "pool").rglob("*.parquet"))
        return {"rows": rows, "train": outcome.n_train, "phases": phases, "idle_mib": idle, "disk_bytes": disk}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _grow(run: Run, ids: list[str]) -> None:
    engine, chat = FakeEngine(), FakeChat()
    await engine.start()
    jobs = run.jobs.missing(set(ids), set(ids))
    await run_jobs(run.grower(engine, chat), jobs, run.pool, run.tally, run.recipe.policy.in_flight)


def generated(size: int, words: int) -> Iterator[Prompt]:
    """Distinct prompts, made one by one: whatever memory is used is not theirs."""
    rng = random.Random(0)
    for i in range(size):
        text = " ".join(rng.choices(VOCABULARY, k=words))
        yield Prompt([{"role": "user", "content": f"Write a text on number {i} that says {text}."}])


def _rows(folder: Path, table: str) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in (folder / "pool" / table).rglob("*-*.parquet"))


@contextmanager
def _phase(phases: dict[str, tuple[float, float, int]], name: str, idle: int) -> Iterator[None]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    started, cpu = time.perf_counter(), time.process_time()
    yield
    phases[name] = (time.perf_counter() - started, time.process_time() - cpu, _memory("VmHWM") - idle)


def _memory(kind: str) -> int:
    """VmRSS (now) or VmHWM (peak), MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) // 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 100_000], help="prompts (default: 10000 100000)")
    parser.add_argument("--n", type=int, default=5, help="responses to each prompt")
    parser.add_argument("--strategies", type=int, default=5, help="how many of the five strategies")
    parser.add_argument("--words", type=int, default=12, help="words of a prompt")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the pools are made, and removed again")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
