"""`evolve score`: what it does by its options, what it prints, and what it refuses in one sentence."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.cli.program import main
from fake_runs import Made

Evolve = Callable[..., tuple[int, str, str]]
ROWS = [
    {
        "prompt": f"Q{i}?",
        "chosen": f"Good {i}.",
        "rejected": f"Bad one {i}.",
        "score_chosen": 5 + i,
        "score_rejected": i,
    }
    for i in range(10)
]


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Evolve:
    monkeypatch.chdir(tmp_path)
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *arguments])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return call


def test_data_becomes_a_run_of_its_name_and_all_below_works_on_it(evolve: Evolve) -> None:
    code, out, _ = evolve("score", "pairs.jsonl", "--policy", "fake", "--reference", "fake:1")
    assert code == 0
    assert "runs/pairs: 10 pairs of 10 rows" in out
    assert "20 responses" in out
    assert "20 by the reference" in out
    code, out, _ = evolve("select", "pairs", "--metric", "eva", "--k", "5")
    assert code == 0
    assert "5 preference pairs" in out
    code, out, _ = evolve("status", "pairs")
    assert "the data's own (score_chosen, score_rejected)" in out
    assert "20 by fake:1" in out
    code, out, _ = evolve("export", "pairs", "-f", "trl", "--out", "trl.jsonl", "--metric", "eva", "--k", "5")
    assert code == 0
    assert len(Path("trl.jsonl").read_text().splitlines()) == 5
    code, out, _ = evolve("export", "pairs", "-f", "responses", "--out", "all.jsonl")
    assert code == 0
    assert len(Path("all.jsonl").read_text().splitlines()) == 20


def test_another_reward_model_scores_the_same_responses(evolve: Evolve) -> None:
    evolve("score", "pairs.jsonl", "--policy", "fake", "--run", "./mine")
    code, out, _ = evolve("annotate", "./mine", "--reward", "fake")
    assert code == 0
    assert "20 responses scored now" in out
    assert evolve("select", "./mine", "--set", "reward.model=fake")[0] == 0


def test_what_disagrees_is_told(evolve: Evolve) -> None:
    rows = [
        *ROWS,
        ROWS[0],
        ROWS[1] | {"chosen": None},
        ROWS[2] | {"chosen": "x", "score_chosen": 0, "score_rejected": 9},
    ]
    rows.append(ROWS[3] | {"chosen": "long " * 400})
    Path("more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, _ = evolve("score", "more.jsonl", "--policy", "fake", "--set", "policy.max_model_len=1000")
    assert code == 0
    assert "12 pairs of 14 rows (dropped: duplicate 1, bad_pair 1)" in out
    assert "1 pairs (8.3%) whose chosen response has the lower reward" in out
    assert "1 responses without a log-probability: too_long" in out
    cut = evolve("score", "more.jsonl", "--policy", "fake", "--set", "policy.max_model_len=1000", "--truncate")
    assert "1 responses cut to the context" in cut[1]


def test_a_grown_run_gets_a_reference(evolve: Evolve, made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.run, tmp_path / "grown")
    code, out, _ = evolve("score", "./grown", "--reference", "fake:2")
    assert code == 0
    assert "responses by the reference model now" in out
    assert evolve("score", "./grown", "--reference", "fake:2")[1].count(": 0 responses by") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pairs.jsonl"], "what is to be computed?"),
        (["pairs.jsonl", "--reward", "fake"], "what is to be computed?"),
        (["pairs.jsonl", "--policy", "fake", "--out", "x"], "--out is not for preference data"),
        (["pairs.jsonl", "--reference", "fake"], "No run at runs/pairs.jsonl"),
        (["./nowhere", "--reference", "fake"], "No run at nowhere"),
        (["pairs.jsonl", "--reference", "fake", "--reward", "fake"], "--reward is not for a run"),
        (["pairs.jsonl", "--reward", "fake", "--out", "x", "--limit", "3"], "--limit is not for lines"),
        (["absent.jsonl", "--policy", "fake"], "No file at"),
        (["pairs.jsonl", "--policy", "./absent"], "no such folder"),
        (["pairs.jsonl", "--policy", "fake", "--column", "chosen"], "expected ROLE=NAME"),
        (["pairs.jsonl", "--policy", "fake", "--column", "winner=chosen"], "no role 'winner'"),
        (["pairs.jsonl", "--policy", "fake", "--all-responses"], "no column with all responses"),
        (["pairs.jsonl", "--policy", "fake", "--split", "test"], "split"),
        (["pairs.jsonl", "--policy", "fake", "--set", "selection.kk=1"], "unknown key"),
        (["pairs.jsonl", "--policy", "fake", "--run", "a b"], "is not the name of a run"),
    ],
)
def test_what_a_user_can_mend_is_one_message(evolve: Evolve, arguments: list[str], said: str) -> None:
    code, out, err = evolve("score", *arguments)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
