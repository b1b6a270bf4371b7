"""The examples are run as a user runs them, on the real engine, and their dataset is trained on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT

pytestmark = pytest.mark.engine
EMBEDDED = ROOT / "recipes" / "embedded"


def run(name: str, *arguments: str | Path, folder: str = "examples") -> str:
    command = [sys.executable, str(ROOT / folder / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_examples_grow_swap_the_metric_and_train(tmp_path: Path) -> None:
    grown = run("grow_and_read.py", tmp_path / "run")
    assert grown.count("\ninitial: ") == 6
    assert "\nevolved: " in grown
    said = grown.splitlines()[-1]
    folder = Path(said.partition(": ")[0])
    assert said.endswith(f": {grown.count('  + ')} pairs")
    assert (folder / "train.parquet").is_file()

    swapped = run("swap_metric.py", tmp_path / "run")
    assert "pairs are selected by both" in swapped

    files = ("--dataset", folder / "train.parquet", "--policy", EMBEDDED / "policy", "--output", tmp_path / "trained")
    numbers = "--method simpo --learning-rate 1e-4 --beta 2 --gamma 1 --batch 4 --max-length 256 --evaluate".split()
    trained = run("trl_train.py", *files, *numbers, folder="recipes/training")
    assert [line.split()[0] for line in trained.splitlines() if "rewards/margins" in line][::2] == ["before", "after"]
    assert (tmp_path / "trained" / "model.safetensors").read_bytes() != (
        EMBEDDED / "policy" / "model.safetensors"
    ).read_bytes()
