"""From a run's name to its folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from evolve.cli.folders import existing_folder
from prompts.errors import UserError


def test_a_follower_of_an_iteration_waits_until_it_has_begun(tmp_path: Path) -> None:
    """`evolve annotate RUN --follow --iter 2` is started before the sampler of iteration 2; iteration 1 is done."""
    (tmp_path / "iteration-1").mkdir()
    (tmp_path / "iteration-1" / "recipe.json").write_text("{}")
    found: list[Path] = []
    follower = threading.Thread(target=lambda: found.append(existing_folder(str(tmp_path), wait_for=2)))
    follower.start()
    follower.join(0.3)
    assert follower.is_alive()
    (tmp_path / "iteration-2").mkdir()
    (tmp_path / "iteration-2" / "recipe.json").write_text("{}")
    follower.join(5)
    assert found == [tmp_path]


def test_a_folder_that_is_no_run_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "iteration-old").mkdir()
    with pytest.raises(UserError, match="No run at"):
        existing_folder(str(tmp_path))
