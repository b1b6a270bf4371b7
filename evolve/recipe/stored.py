"""The resolved recipe that a run keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolve.recipe.loading import override_recipe
from evolve.recipe.sections import Recipe


def stored_recipe(folder: Path, overrides: dict[str, Any]) -> Recipe:
    """The recipe of the run in `folder`, with `overrides` on top. Raises `UserError`."""
    path = folder / "recipe.json"
    return override_recipe(json.loads(path.read_text(encoding="utf-8")), overrides, str(path))


def last_iteration(folder: Path) -> int:
    """The last iteration that has a dataset; 1 where there is none."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("iteration-*")), default=1)
