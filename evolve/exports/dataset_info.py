"""dataset_info.json, where LLaMA-Factory looks up what a file of a folder holds: entries are added, all else stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolve.pool.files import not_written
from evolve.pool.output import output_file, refuse_own
from prompts.errors import UserError

NAME = "dataset_info.json"
TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}

Entries = dict[str, dict[str, Any]]


def check(folder: Path, entries: Entries, earlier: Entries, force: bool) -> None:
    """Raise `UserError` if the folder's description can't be added to, or, without `force`, has another dataset of one
    of these names; `earlier` are entries of an export that this one replaces.
    """
    refuse_own(folder / NAME)
    described = _described(folder)
    for name, entry in entries.items():
        there = described.get(name)
        if there is not None and not _says(there, entry) and there != earlier.get(name) and not force:
            raise UserError(
                f"{folder / NAME} describes another dataset by the name {name}. Give another --out, or --force to "
                "replace the description."
            )


def describe(folder: Path, entries: Entries) -> None:
    """Add entries to the folder's description; keys that a user has added to the same entry stay."""
    described = _described(folder)  # as it is now: another export may have added to it
    for name, entry in entries.items():
        there = described.get(name)
        described[name] = there | entry if isinstance(there, dict) and _says(there, entry) else entry
    _write(folder, described)


def forget(folder: Path, stale: Entries) -> list[str]:
    """Remove entries of an earlier export from the folder's description, and the description where nothing else is in
    it; returns lines that say so. An entry that was changed since stays, and so does a description that can't be read.
    """
    if not stale:
        return []
    path, said = folder / NAME, []
    try:
        described = _described(folder)
        for name, entry in stale.items():
            if name not in described:
                continue
            if described[name] == entry:
                del described[name]
                said.append(f"removed {name} from {path}: of an earlier export")
            else:
                said.append(f"{name} in {path} is of an earlier export, and stays: it was changed since")
        if said and not described:
            path.unlink()
        elif said:
            _write(folder, described)
    except (OSError, UserError) as error:
        return [f"{', '.join(stale)} of an earlier export may still be in {path}: {error}"]
    return said


def _says(there: Any, entry: dict[str, Any]) -> bool:
    """Whether an entry says all that `entry` does, whatever else."""
    return isinstance(there, dict) and {key: value for key, value in there.items() if key in entry} == entry


def _write(folder: Path, described: dict[str, Any]) -> None:
    with output_file(folder / NAME) as file:
        file.write((json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def _described(folder: Path) -> dict[str, Any]:
    """The datasets that the folder's description has. Raises `UserError` if it is there and can't be read."""
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
    except OSError as error:
        raise not_written(path, error) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}). Mend it or move it away: an export adds to it.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no JSON object of datasets. Mend it or move it away: an export adds to it.")
    return found
