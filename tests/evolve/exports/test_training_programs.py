"""The programs that an export writes for TRL train as they are."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from evolve.exports.export import export
from fake_runs import prompt, write_source
from templated_runs import templated, view


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    source = write_source(folder / "x.jsonl", [prompt(i) for i in range(8)])
    templated(source, folder / "run", evolve__strategies=["deepen"], sampling__max_tokens=20)
    return folder


@pytest.mark.parametrize(("form", "method"), [("trl", "dpo"), ("trl", "simpo"), ("kto", "kto")])
def test_a_program_trains_and_saves(
    form: str, method: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    export(view(folder / "run"), form, tmp_path / "out", test="30%")
    program = str(tmp_path / "out" / f"train-{method}.py")
    monkeypatch.setattr(sys, "argv", [program])
    ran: dict[str, Any] = runpy.run_path(program, run_name="__main__")
    assert ran["trainer"].state.global_step == 1
    assert ran["trainer"].state.log_history[-1]["epoch"] == 1.0
    assert any("eval_loss" in entry for entry in ran["trainer"].state.log_history)
    assert (tmp_path / "out" / f"train-{method}" / "model.safetensors").is_file()
