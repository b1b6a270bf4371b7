"""The default recipe's loop on the real engine and with the real trainer: two iterations, some steps each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT

pytestmark = pytest.mark.engine
SMALL = ["prompts.limit=10", "evolve.strategies=['deepen']", "sampling.max_tokens=48", "selection.k=50%"]
CHOICES = {
    "simpo": ["algorithm=evolve-then-select"],
    "dpo": ["algorithm=select-then-evolve", "training.method=dpo", "training.implicit=dpo"],
}


@pytest.mark.parametrize("method", CHOICES)
def test_the_embedded_policy_is_trained_and_sampled_again(method: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "evolve", "loop", "default", "--iterations", "2", "--run", str(folder)]
    for setting in [*SMALL, *CHOICES[method]]:
        command += ["--set", setting]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=570)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "mean reward of all responses to X" in done.stdout
    for iteration in (1, 2):
        said = (folder / "checkpoints" / f"iteration-{iteration}.log").read_text(encoding="utf-8")
        figures = dict(re.findall(r"^(before|after) \{'loss': (-?[\d.]+)", said, re.MULTILINE))
        assert float(figures["after"]) < float(figures["before"])  # of the pairs that it was trained on
    weights = [folder / "checkpoints" / f"iteration-{one}" / "model.safetensors" for one in (1, 2)]
    start = ROOT / "recipes" / "embedded" / "policy" / "model.safetensors"
    assert len({path.read_bytes() for path in (start, *weights)}) == 3
    first, second = json.loads((folder / "loop.json").read_text(encoding="utf-8"))["iterations"]
    assert second["policy"] == str(weights[0].parent)
    assert all(one["phases"]["training"]["seconds"] > 0 for one in (first, second))
    assert ("reference" in second["phases"]) is (method == "dpo")
    assert "reference" not in first["phases"]
    for one in (first, second):  # the engine and the reward model have left before the training
        assert one["phases"]["training"]["memory_mib_before"] < one["memory_mib"]["with_policy"]
