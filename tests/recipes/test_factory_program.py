"""The factory's command line: what it offers, and what it imports for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recipes.factory.__main__ import app

IMPORTS = """
import sys
import recipes.factory.__main__
assert not {"torch", "transformers", "vllm", "numpy"} & set(sys.modules)
import recipes.factory.build
assert "recipes.factory.sampling" not in sys.modules  # it turns off the compiler, which training needs
"""


@pytest.mark.parametrize("command", ["build", "measure"])
def test_every_command_has_its_help(command: str) -> None:
    got = CliRunner().invoke(app, [command, "--help"])
    assert got.exit_code == 0, got.output
    assert "--policy" in got.output


def test_the_program_loads_nothing_heavy_and_training_keeps_the_compiler() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", IMPORTS], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
