"""From what a user calls a run to its folder."""

from __future__ import annotations

import time
from pathlib import Path

from prompts.errors import UserError


def run_folder(name: str) -> Path:
    """The folder of a run by its path, or by its name under runs/."""
    return Path(name) if "/" in name or Path(name).is_dir() else Path("runs") / name


def existing_folder(run: str, *, wait_for: int | None = None) -> Path:
    """The folder of a run that is there; with `wait_for`, once its iteration of that number has begun, for which a
    minute is waited (its sampler is starting).
    """
    folder = run_folder(run)
    for _ in range(60 if wait_for else 0):
        if (folder / f"iteration-{wait_for}" / "recipe.json").exists():
            break
        time.sleep(1)
    if not any(folder.glob("iteration-*/recipe.json")):
        there = ", ".join(sorted(path.parent.name for path in Path("runs").glob("*/pool"))) or "none"
        raise UserError(f"No run at {folder}. Runs there are: {there}. `evolve run` makes one.")
    return folder
