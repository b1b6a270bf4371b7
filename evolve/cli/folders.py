"""From what a user calls a run to its folder, and from --out to a path."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from evolve.recipe.choices import NAME
from prompts.display import shown
from prompts.errors import UserError

_LONGEST, _LONGEST_PATH = 255, 4095  # bytes of a name and of a path, on all common file systems


def run_folder(name: str) -> Path:
    """The folder of a run by its path (anything with a slash: ./first, /data/first, ~/first), or by its name under
    runs/, whatever lies in the folder where the user is. Raises `UserError`.
    """
    if "/" in name:
        return checked_path(name)
    if not re.fullmatch(NAME, name):
        raise UserError(
            f"{shown(name, one_line=True)!r} is not the name of a run: expected letters, digits, '.', '_' and '-', a "
            "letter or digit first. A path has to look like one: ./first, ../first, /data/first or ~/first."
        )
    return Path("runs") / name


def checked_path(text: str, what: str = "the run") -> Path:
    """A path that a user has typed, `~` expanded. Raises `UserError` for what no file system takes."""
    quoted = repr(text if len(text) <= 80 else text[:77] + "...")
    if not text.strip():
        raise UserError(f"The path of {what} is empty. Expected one such as ./first.")
    parts = [len(os.fsencode(part)) for part in _parts(text, quoted, what)]
    if "\0" in text or max(parts) > _LONGEST or sum(parts) + len(parts) > _LONGEST_PATH:
        raise UserError(f"{quoted} can't be the path of {what}: it is too long, or has a NUL in it.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{quoted}: there is no such home folder. Give the path of {what} in full.") from error


def _parts(text: str, quoted: str, what: str) -> list[str]:
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise UserError(f"{quoted} can't be the path of {what}: it is no text in this system's encoding.") from error
    return text.split("/")


def existing_folder(run: str, *, wait_for: int | None = None) -> Path:
    """The folder of a run that is there; with `wait_for`, once its iteration of that number has begun, for which a
    minute is waited (its sampler is starting).
    """
    from evolve.recipe.stored import iterations

    folder = run_folder(run)
    try:
        for _ in range(60 if wait_for else 0):
            if (folder / f"iteration-{wait_for}" / "recipe.json").exists():
                break
            time.sleep(1)
        found = iterations(folder)
    except OSError as error:
        raise UserError(f"The run at {folder} can't be read ({error.strerror}).") from error
    if not found:
        there = ", ".join(sorted(path.parent.name for path in Path("runs").glob("*/pool"))) or "none"
        raise UserError(f"No run at {folder}. Runs there are: {there}. `evolve run` makes one.")
    return folder
