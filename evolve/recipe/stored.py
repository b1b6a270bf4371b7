"""What a run keeps of each iteration: its recipe, resolved. Each command reads that of its iteration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from evolve.pool.files import not_read
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.recipe.choices import LAST_ITERATION
from evolve.recipe.loading import override_recipe
from evolve.recipe.resolved import Resolved, from_json
from evolve.recipe.sections import Recipe
from prompts.display import plainly
from prompts.errors import UserError

NAME = "recipe.json"
_ITERATION = re.compile(r"iteration-([1-9]\d{0,8})")


class DamagedRecipe(UserError):
    """A kept recipe whose content is not what was written."""


def check_iteration(iteration: int) -> None:
    """Raise `UserError` for what is no number of an iteration."""
    if isinstance(iteration, bool) or not isinstance(iteration, int) or not 1 <= iteration <= LAST_ITERATION:
        raise UserError(f"No iteration {plainly(iteration)}: expected a whole number from 1 to {LAST_ITERATION}.")


def keep(folder: Path, iteration: int, resolved: Resolved, defaults: Recipe) -> None:
    """Keep what an iteration was resolved to. How it selects is taken from `defaults`: what one command was told about
    algorithm and selection must not become the default of the next.
    """
    data = resolved.as_json()
    data["recipe"] |= {
        "algorithm": defaults.algorithm,
        "selection": defaults.selection.model_dump(mode="json"),
    }
    write_json(_path(folder, iteration), data)


def kept(folder: Path, iteration: int) -> Resolved | None:
    """What an iteration of the run in `folder` was resolved to; None where there is none yet. Raises `UserError`."""
    check_iteration(iteration)
    path = _path(folder, iteration)
    try:
        return from_json(read_json(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise not_read(path, error) from error
    except (Damaged, ValueError, KeyError, TypeError) as error:
        what = str(error) if isinstance(error, Damaged) else type(error).__name__
        raise DamagedRecipe(
            f"{path} is damaged ({what}). Run `evolve run` with this run's recipe again: it writes the file anew and "
            "computes nothing twice."
        ) from error


def before(folder: Path, iteration: int) -> Resolved | None:
    """What this iteration, or else the last one before it, was resolved to. A damaged one counts for nothing."""
    for number in sorted((one for one in iterations(folder) if one <= iteration), reverse=True):
        try:
            return kept(folder, number)
        except DamagedRecipe:
            continue
    return None


def iterations(folder: Path) -> list[int]:
    """The iterations that the run in `folder` has, ascending; other folders (iteration-old) are none."""
    found = (_ITERATION.fullmatch(path.parent.name) for path in folder.glob(f"iteration-*/{NAME}"))
    return sorted(int(match[1]) for match in found if match)


def last_iteration(folder: Path) -> int:
    """The last iteration that there is; 1 where there is none."""
    return max(iterations(folder), default=1)


def stored_recipe(folder: Path, iteration: int, overrides: dict[str, Any]) -> Recipe:
    """The recipe of an iteration of the run in `folder`, with `overrides` on top. Raises `UserError`."""
    found = kept(folder, iteration)
    if found is None:
        there = ", ".join(map(str, iterations(folder)))
        if not there:
            raise UserError(f"No run at {folder}: expected a folder that `evolve run` made.")
        raise UserError(f"{folder} has no iteration {iteration}. There are: {there}. `evolve run --iter` makes one.")
    return override_recipe(found.recipe.model_dump(), overrides, str(_path(folder, iteration)))


def _path(folder: Path, iteration: int) -> Path:
    return folder / f"iteration-{iteration}" / NAME
