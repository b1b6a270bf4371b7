"""Killed in any phase, training included, the same command ends in the same files, and redoes no phase that is done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import evolve.cli.program
import evolve.pool.table
from evolve.loop.trained import checkpoint_of, trained_of
from evolve.loop.training import MARK
from fake_runs import pool_rows, prompt, write_source
from loops import command, start_policy, train_files, trainings

N = 2
MODULES = ["evolve.cli.program", "evolve.loop.iterations", "generation.engines.fake", "rewards.models.fake", "torch"]
MODULES += ["transformers", __name__]
Reached = Callable[[Path], bool]


def run(config: str, folder: str, log: str) -> None:
    """`evolve loop` in a process of its own, with small parts."""
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    evolve.pool.table.ROWS_PER_PART, evolve.pool.table.SECONDS_PER_PART = 9, 0.05
    sys.argv = ["evolve", "loop", config, "--iterations", str(N), "--run", folder]
    evolve.cli.program.main()


def started(config: Path, folder: Path) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    folder.mkdir(parents=True, exist_ok=True)
    process = context.Process(target=run, args=(str(config), str(folder), str(folder.with_suffix(".log"))))
    process.start()
    return process


def finished(config: Path, folder: Path) -> None:
    process = started(config, folder)
    process.join()
    assert process.exitcode == 0, folder.with_suffix(".log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    source = write_source(folder / "prompts.jsonl", [prompt(i) for i in range(6)])
    words = ", ".join(f"'{word}'" for word in command(start_policy(folder / "start"), "leaves", delay=1.0))
    lines = [f'[prompts]\nsource = "{source}"', '[policy]\nmodel = "fake"\nin_flight = 4\nengine = {delay = 0.01}']
    lines += ['[reward]\nmodel = "fake"\n[evolve]\nstrategies = ["deepen"]', f"[training]\ncommand = [{words}]\n"]
    path = folder / "mine.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def some_rows(iteration: int) -> Reached:
    def reached(folder: Path) -> bool:
        samplers = list((folder / "pool" / "responses").glob("*"))
        return len(samplers) >= iteration and all(list(one.glob("*.parquet")) for one in samplers)

    return reached


def has_dataset(iteration: int) -> Reached:
    return lambda folder: bool(list(folder.glob(f"iteration-{iteration}/*/*/manifest.json")))


def trains(iteration: int) -> Reached:
    """Half of the checkpoint is there: the trainer waits in the middle."""
    return lambda folder: (checkpoint_of(folder, iteration) / "half").exists()


def has_weights(iteration: int) -> Reached:
    return lambda folder: (checkpoint_of(folder, iteration) / "model.safetensors").exists()


def is_trained(iteration: int) -> Reached:
    return lambda folder: trained_of(folder, iteration) is not None


PHASES = [phase(i) for i in (1, 2) for phase in (some_rows, has_dataset, trains, has_weights, is_trained)]


def state(folder: Path) -> dict[str, Any]:
    weights = [checkpoint_of(folder, one) / "model.safetensors" for one in (1, 2)]
    return {"train": train_files(folder), "weights": [path.read_bytes() for path in weights], "rows": pool_rows(folder)}


def left_over(folder: Path) -> list[int]:
    """Processes that a training of this run has left."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(str(folder.resolve())):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_killed_in_every_phase_it_ends_in_the_same_files(config: Path, tmp_path: Path) -> None:
    finished(config, tmp_path / "whole")
    folder, n_killed = tmp_path / "killed", 0
    for reached in PHASES:
        if reached(folder):  # the one before was killed late
            continue
        process = started(config, folder)
        while process.is_alive() and not reached(folder):
            time.sleep(0.002)
        process.kill()
        process.join()
        n_killed += process.exitcode == -signal.SIGKILL
    assert n_killed >= 6
    finished(config, folder)
    assert state(folder) == state(tmp_path / "whole")
    begun = [len(trainings(folder, one)) for one in (1, 2)]
    assert all(2 <= n <= 4 for n in begun), begun  # those that were killed, and the one that counted
    assert left_over(folder) == []
    finished(config, folder)
    assert [len(trainings(folder, one)) for one in (1, 2)] == begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_a_training_it_leaves_no_process_and_goes_on(
    number: signal.Signals, config: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = started(config, folder)
    while process.is_alive() and not trains(1)(folder):
        time.sleep(0.002)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert left_over(folder) == []
    assert trained_of(folder, 1) is None
    finished(config, folder)
    assert len(trainings(folder, 1)) == 2


def test_a_trainer_dies_with_a_program_that_is_killed(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = started(config, folder)
    while process.is_alive() and not trains(1)(folder):
        time.sleep(0.002)
    trainer = [one for one in left_over(folder) if "perturbing_trainer" in " ".join(psutil.Process(one).cmdline())]
    assert len(trainer) == 1
    process.kill()
    process.join()
    _, alive = psutil.wait_procs([psutil.Process(one) for one in trainer if psutil.pid_exists(one)], timeout=30)
    assert not alive
    assert not has_weights(1)(folder)
