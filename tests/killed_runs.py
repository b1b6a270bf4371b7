"""`evolve run` in processes of their own, to be killed, limited or left alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
from pathlib import Path
from typing import Any

import evolve.cli.program
import evolve.pool.table
from evolve.recipe.sections import Recipe

MODULES = [
    "evolve.cli.program",
    "evolve.run",
    "evolve.datasets.folder",
    "evolve.reports.summary",
    "generation.engines.fake",
    "rewards.models.fake",
    __name__,
]
N_PROMPTS = 12
DATASET = ("train.parquet", "selected.parquet", "README.md")


def written(recipe: Recipe, path: Path) -> Path:
    """The recipe as a file that the command line takes."""
    lines = [f'[prompts]\nsource = "{recipe.prompts.source}"', f"[policy]\nin_flight = {recipe.policy.in_flight}"]
    lines += ['model = "fake"', f"engine = {{delay = {recipe.policy.engine.get('delay', 0.0)}}}"]
    path.write_text("\n".join([*lines, '[reward]\nmodel = "fake"\n']), encoding="utf-8")
    return path


def command(config: str, folder: str, n_rows: int, limit: int, log: str) -> None:
    """`evolve run` in a process of its own, with small parts, and a limit on the size of files where one is given."""
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    evolve.pool.table.ROWS_PER_PART, evolve.pool.table.SECONDS_PER_PART = n_rows, 0.05
    sys.argv = ["evolve", "run", config, "--run", folder]
    evolve.cli.program.main()


def started(config: Path, folder: Path, n_rows: int = 9, limit: int = 0) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (str(config), str(folder), n_rows, limit, str(folder.with_suffix(".log")))
    process = context.Process(target=command, args=arguments)
    process.start()
    return process


def finished(config: Path, folder: Path, **options: Any) -> tuple[int, str]:
    """Exit code and what was printed."""
    process = started(config, folder, **options)
    process.join()
    return process.exitcode, folder.with_suffix(".log").read_text(encoding="utf-8")


def n_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def dataset(folder: Path) -> dict[str, bytes]:
    (manifest,) = folder.glob("iteration-1/*/*/manifest.json")
    return {name: (manifest.parent / name).read_bytes() for name in DATASET}


def calls(folder: Path) -> dict[str, int]:
    (manifest,) = folder.glob("iteration-1/*/*/manifest.json")
    calls: dict[str, int] = json.loads(manifest.read_text(encoding="utf-8"))["model_calls"]
    return calls
