"""Killed at any event of the file system: open to write, sync, rename, remove, make a folder."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import evolve.pool.table
from evolve.recipe.sections import Recipe
from fake_runs import NO_CALLS, balanced, fake_recipe, make, prompt, write_source

MODULES = ["evolve.run", "evolve.datasets.folder", "generation.engines.fake", "rewards.models.fake", __name__]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
N_POINTS = 16  # of each algorithm and kind of life; EVOLVE_CRASH_POINTS=all tries every one


def _recipe(source: Path, algorithm: str, life: int) -> Recipe:
    engine = {"life": life}
    return fake_recipe(source, algorithm=algorithm, policy__engine=engine, policy__in_flight=3, selection__k="40%")


def _dies_at(source: str, folder: str, algorithm: str, n: int, log: str) -> None:
    """A run in a process of its own, killed before its n-th event; with n = 0 it writes what kinds there were."""
    evolve.pool.table.ROWS_PER_PART = 9
    kinds: list[str] = []

    def event(kind: str) -> None:
        kinds.append(kind)
        if len(kinds) == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if not arguments or not str(arguments[0]).startswith(folder):
            return
        if (name == "open" and arguments[2] & WRITING) or name in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            event(name)

    sync = os.fsync

    def counted_sync(descriptor: int) -> None:
        event("fsync")
        sync(descriptor)

    os.fsync = counted_sync
    sys.addaudithook(hook)
    make(_recipe(Path(source), algorithm, 0), Path(folder))
    Path(log).write_text("\n".join(kinds), encoding="utf-8")


def _killed(source: Path, folder: Path, algorithm: str, n: int) -> list[str]:
    """Run until the n-th event; the kinds of all events if it came to its end."""
    log = folder.with_suffix(".log")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    process = context.Process(target=_dies_at, args=(str(source), str(folder), algorithm, n, str(log)))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return log.read_text(encoding="utf-8").splitlines() if process.exitcode == 0 else []


def _points(kinds: list[str]) -> list[int]:
    """Numbers of events to die at: some of every kind, drawn by a seed."""
    if os.environ.get("EVOLVE_CRASH_POINTS") == "all":
        return list(range(1, len(kinds) + 1))
    rng = random.Random(11)
    by_kind: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds, 1):
        by_kind.setdefault(kind, []).append(number)
    few = N_POINTS // len(by_kind)
    return sorted(number for numbers in by_kind.values() for number in rng.sample(numbers, min(few, len(numbers))))


@pytest.mark.parametrize("algorithm", ["evolve-then-select", "select-then-evolve"])
def test_killed_at_an_event_of_the_file_system_the_run_goes_on(algorithm: str, tmp_path: Path) -> None:
    """With the engine as it was it ends in the same bytes; with one that samples other tokens it ends whole."""
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])
    kinds = _killed(source, tmp_path / "whole", algorithm, 0)
    assert set(kinds) == {"open", "fsync", "os.rename", "os.remove", "os.mkdir", "os.rmdir"} - (
        {"os.remove"} - set(kinds)
    )
    (whole,) = (tmp_path / "whole").glob("iteration-1/*/*/train.parquet")
    ends: Counter[str] = Counter()
    for number in _points(kinds):
        for life in (0, 1):
            folder = tmp_path / f"{number}-{life}"
            ends["finished" if _killed(source, folder, algorithm, number) else "killed"] += 1
            made = make(_recipe(source, algorithm, life), folder)
            if life == 0:
                assert (made.folder / "train.parquet").read_bytes() == whole.read_bytes(), f"event {number}"
            balanced(made.manifest)
            assert make(_recipe(source, algorithm, life), folder).calls == NO_CALLS, f"event {number}, life {life}"
            assert not [path for path in (folder / "pool").rglob(".*") if path.is_file()]
    assert ends["killed"] > 0.8 * ends.total()
