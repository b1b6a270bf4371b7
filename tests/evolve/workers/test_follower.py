"""`evolve annotate RUN --follow` beside a run that scores itself too: it waits, in all phases, and ends with it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from evolve.executors.local import score_run
from evolve.pool.pool import Pool
from evolve.run import Run
from fake_runs import fake_recipe, make, prompt, write_source
from prompts.errors import UserError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.SECONDS_PER_PART", 0.1)
    monkeypatch.setattr("evolve.executors.local.POLL_SECONDS", 0.05)


class Follower(threading.Thread):
    """A follower in a thread of its own."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run_, self.told, self.error = run, "", ""

    def run(self) -> None:
        try:
            self.told = score_run(self.run_.folder, self.run_.resolved, following=True)
        except UserError as error:
            self.error = str(error)


@pytest.mark.parametrize("algorithm", ["evolve-then-select", "select-then-evolve"])
def test_it_follows_through_all_phases(algorithm: str, source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(
        source, algorithm=algorithm, policy__engine={"delay": 0.05}, policy__in_flight=4, selection__k="50%"
    )
    run = Run(recipe, tmp_path / "run")
    growing = threading.Thread(target=run.execute)
    growing.start()
    while not Pool(run.folder / "pool").is_growing():
        time.sleep(0.01)
    follower = Follower(run)
    follower.start()
    growing.join()
    follower.join(30)
    assert (follower.error, follower.is_alive()) == ("", False)
    pool, (maker,) = Pool(run.folder / "pool"), run.rewards
    ids = [one for part in pool.rewards(maker.id).scan(["response_id"]) for one in part["response_id"].to_pylist()]
    assert len(ids) == len(set(ids))
    assert make(recipe, tmp_path / "run").calls == {"rewrite": 0, "sample": 0, "reward": 0}


def test_it_waits_while_another_scores(source: Path, tmp_path: Path) -> None:
    run = Run(fake_recipe(source), tmp_path / "run")
    with run.pool.growing(run.sampler.id):
        (maker,) = run.rewards
        follower = Follower(run)
        with run.pool.scoring(maker.id):
            follower.start()
            follower.join(1.5)
            assert (follower.error, follower.is_alive()) == ("", True)
    follower.join(30)
    assert (follower.error, follower.is_alive()) == ("", False)


def test_it_ends_when_the_run_is_removed(source: Path, tmp_path: Path) -> None:
    run = Run(fake_recipe(source), tmp_path / "run")
    with run.pool.growing(run.sampler.id):
        follower = Follower(run)
        follower.start()
        time.sleep(0.3)
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        follower.join(30)
    assert "is gone" in follower.error
    assert not (tmp_path / "run").exists()
