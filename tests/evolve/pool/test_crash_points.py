"""Killed at any event of the file system: open to write, write, sync, rename, remove, make a folder.

EVOLVE_CRASH_POINTS=all kills at every event of both algorithms, EVOLVE_CRASH_POINTS=3/8 at every eighth from the third
on: an hour of work in eight shares. docs/pool.md says when that was last done.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import evolve.pool.compaction
import evolve.pool.table
from evolve.recipe.sections import Recipe
from fake_runs import NO_CALLS, balanced, fake_recipe, make, prompt, write_source

MODULES = ["evolve.run", "evolve.datasets.folder", "generation.engines.fake", "rewards.models.fake", __name__]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PATHS = {  # by the audit event: where a file descriptor of the path's folder stands among its arguments
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 2,
    "os.rmdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 9,
}
KINDS = {"open", "created", "half written", "fsync", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
N_POINTS = 16  # of each algorithm and kind of life
ASKED = os.environ.get("EVOLVE_CRASH_POINTS", "")


class Death:
    """Kills the process before its n-th event in `folder`; notes the kinds of the events until then.

    A file that is opened to be written has two: before, and when it is there and empty. So has one that is synced: half
    of it written, and all.
    """

    def __init__(self, folder: str, n: int) -> None:
        self.kinds: list[str] = []
        self._folder, self._n = folder, n
        self._sync = os.fsync
        os.fsync = self._synced
        sys.addaudithook(self._audited)

    def _event(self, kind: str) -> bool:
        """Whether this is the event to die at."""
        self.kinds.append(kind)
        return len(self.kinds) == self._n

    def _audited(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and arguments[2] & WRITING:
            if str(arguments[0]).startswith(self._folder):
                self._dies_if(self._event("open"))
                if self._event("created"):
                    os.close(os.open(arguments[0], arguments[2]))  # its own events come after the n-th
                    self._dies_if(True)
        elif name in PATHS and _path(arguments, PATHS[name]).startswith(self._folder):
            self._dies_if(self._event(name))

    def _synced(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and self._event("half written"):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            self._dies_if(True)
        self._dies_if(self._event("fsync"))
        self._sync(descriptor)

    def _dies_if(self, now: bool) -> None:
        if now:
            os.kill(os.getpid(), signal.SIGKILL)


def _path(arguments: tuple[Any, ...], descriptor: int) -> str:
    """The first path of an event, though it be given within an open folder, as shutil.rmtree does."""
    within = arguments[descriptor] if descriptor < len(arguments) else -1
    return os.path.join(os.readlink(f"/proc/self/fd/{within}"), arguments[0]) if within >= 0 else str(arguments[0])


def _recipe(source: Path, algorithm: str, life: int) -> Recipe:
    engine = {"life": life}
    return fake_recipe(source, algorithm=algorithm, policy__engine=engine, policy__in_flight=3, selection__k="40%")


def _dies_at(source: str, folder: str, algorithm: str, n: int, log: str) -> None:
    """A run in a process of its own, killed before its n-th event; with n = 0 it writes what kinds there were."""
    evolve.pool.table.ROWS_PER_PART = 9
    evolve.pool.compaction.SMALL_PARTS = 4
    death = Death(folder, n)
    make(_recipe(Path(source), algorithm, 0), Path(folder))
    kinds = list(death.kinds)
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
    """Numbers of events to die at: those that are asked for, or some of every kind, drawn by a seed."""
    if ASKED:
        share, _, of = ASKED.replace("all", "1/1").partition("/")
        return list(range(int(share), len(kinds) + 1, int(of)))
    rng = random.Random(11)
    by_kind: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds, 1):
        by_kind.setdefault(kind, []).append(number)
    few = N_POINTS // len(by_kind)
    return sorted(number for numbers in by_kind.values() for number in rng.sample(numbers, min(few, len(numbers))))


def _goes_on(source: Path, folder: Path, algorithm: str, life: int, whole: bytes) -> None:
    """A killed run started again: with the engine as it was it ends in the same bytes, with another it ends whole."""
    made = make(_recipe(source, algorithm, life), folder)
    if life == 0:
        assert (made.folder / "train.parquet").read_bytes() == whole
    balanced(made.manifest)
    assert make(_recipe(source, algorithm, life), folder).calls == NO_CALLS
    assert not [path for path in (folder / "pool").rglob(".*") if path.is_file()]


@pytest.mark.timeout(0 if ASKED else 600)
@pytest.mark.parametrize("algorithm", ["evolve-then-select", "select-then-evolve"])
def test_killed_at_an_event_of_the_file_system_the_run_goes_on(algorithm: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])
    kinds = _killed(source, tmp_path / "whole", algorithm, 0)
    assert set(kinds) == KINDS
    (train,) = (tmp_path / "whole").glob("iteration-1/*/*/train.parquet")
    whole = train.read_bytes()
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    for number in _points(kinds):
        for life in (0, 1):
            folder = tmp_path / f"{number}-{life}"
            ends["finished" if _killed(source, folder, algorithm, number) else "killed"] += 1
            try:
                _goes_on(source, folder, algorithm, life, whole)
            except Exception as error:  # every point is tried, and each that fails is told
                wrong.append(f"event {number} ({kinds[number - 1]}), life {life}: {type(error).__name__}: {error}")
            else:
                shutil.rmtree(folder)
    assert wrong == []
    assert ends["killed"] > 0.8 * ends.total()
