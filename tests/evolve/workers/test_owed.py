"""What a machine's fault left undone is owed: counted, not final, and made by the next run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evolve.workers.reward
from evolve.api import Dataset
from evolve.datasets.folder import write_outcome
from evolve.reports.summary import summary
from evolve.run import Run
from fake_runs import NO_CALLS, balanced, fake_recipe, make, prompt, write_source
from prompts.reasons import OWED, REASONS, is_owed
from rewards.models.fake import FakeRewardModel
from rewards.protocol import Group, Score


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)])


def test_an_engines_failures_are_counted_and_made_again_by_the_next_run(source: Path, tmp_path: Path) -> None:
    whole = make(fake_recipe(source), tmp_path / "whole")
    made = make(fake_recipe(source, policy__engine={"fails_at": [2, 3, 11]}), tmp_path / "run")
    assert made.manifest["owed"] == {"engine_failed": 3}
    books = balanced(made.manifest)
    lost = [book["dropped"].get("engine_failed", 0) for book in books.values()]
    assert sum(lost) == 3
    again = make(fake_recipe(source), tmp_path / "run")
    assert again.manifest["owed"] == {}
    assert again.calls["rewrite"] + again.calls["sample"] > 0
    assert (again.folder / "train.parquet").read_bytes() == (whole.folder / "train.parquet").read_bytes()
    assert again.manifest["rows"] == whole.manifest["rows"]
    assert make(fake_recipe(source), tmp_path / "run").calls == NO_CALLS


class OutOfMemoryOnce(FakeRewardModel):
    """The fake reward model on a device that something else fills for the first call."""

    calls = 0

    def score(self, groups: Any) -> list[list[Score]]:
        scores = super().score(groups)
        OutOfMemoryOnce.calls += 1
        if OutOfMemoryOnce.calls == 2:  # the first call is the check that a batch scores as each row alone
            scores[0][0] = Score(float("nan"), error="out_of_memory")
        return scores


def test_a_response_that_did_not_fit_the_memory_is_scored_by_the_next_run(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(fake_recipe(source), tmp_path / "whole")
    load = evolve.workers.reward.rewards.load
    monkeypatch.setattr("evolve.workers.reward.rewards.load", lambda *_, **__: OutOfMemoryOnce())
    monkeypatch.setattr("evolve.workers.reward.rewards.trust_check", lambda model, groups: model.score(groups) and 0.0)
    recipe = fake_recipe(source)
    run = Run(recipe, tmp_path / "run")
    outcome = run.execute()
    folder, manifest = write_outcome(run, outcome)
    assert manifest["owed"] == {"out_of_memory": 1}
    told = summary(run, outcome, Dataset(folder))
    assert "owed: out_of_memory 1" in told
    assert REASONS["out_of_memory"].advice in told
    monkeypatch.setattr("evolve.workers.reward.rewards.load", load)
    again = make(recipe, tmp_path / "run")
    assert again.calls == NO_CALLS | {"reward": 1}
    assert (again.folder / "train.parquet").read_bytes() == (whole.folder / "train.parquet").read_bytes()


def test_groups_scored_alone_differ_in_nothing() -> None:
    """The double above is the fake reward model but for its one failure."""
    group = Group([{"role": "user", "content": "a"}], ["b", "c"])
    OutOfMemoryOnce.calls = 5
    assert OutOfMemoryOnce().score([group]) == FakeRewardModel().score([group])


def test_the_table_says_whose_fault_it_is() -> None:
    assert set(OWED) == {name for name, reason in REASONS.items() if reason.fault == "machine"}
    assert is_owed("out_of_memory")
    assert not is_owed("too_long")
    assert not is_owed("")
