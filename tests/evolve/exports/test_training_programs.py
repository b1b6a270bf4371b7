"""The programs that an export writes for TRL train as they are."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from evolve.exports.export import export
from fake_runs import prompt, write_source
from templated_runs import EMBEDDED, templated, view


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    source = write_source(folder / "x.jsonl", [prompt(i) for i in range(16)])
    templated(source, folder / "run", evolve__strategies=["deepen"], sampling__max_tokens=20)
    return folder


def moved(trained: Path) -> float:
    """How far training has moved the weights of the embedded policy, at most."""
    from transformers import AutoModelForCausalLM

    of = [AutoModelForCausalLM.from_pretrained(one, dtype="float32").state_dict() for one in (EMBEDDED, trained)]
    return max(float((of[1][name] - weight).abs().max()) for name, weight in of[0].items())


@pytest.mark.parametrize(("form", "method"), [("trl", "dpo"), ("trl", "simpo"), ("kto", "kto")])
def test_a_program_trains_and_saves(
    form: str, method: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    export(view(folder / "run"), form, tmp_path / "out", test="30%")
    program = str(tmp_path / "out" / f"train-{method}.py")
    monkeypatch.setattr(sys, "argv", [program])
    ran: dict[str, Any] = runpy.run_path(program, run_name="__main__")
    state = ran["trainer"].state
    assert state.global_step >= 5
    assert state.log_history[-1]["epoch"] == 1.0
    rates = [entry["learning_rate"] for entry in state.log_history if "learning_rate" in entry]
    assert sum(rate > 0 for rate in rates) >= 5
    assert any("eval_loss" in entry for entry in ran["trainer"].state.log_history)
    assert (tmp_path / "out" / f"train-{method}" / "model.safetensors").is_file()
    assert moved(tmp_path / "out" / f"train-{method}") > 0
