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


def check(folder: Path, entries: Entries, force: bool) -> None:
    """Raise `UserError` if the folder's description can't be added to, or, without `force`, has another dataset of one
    of these names.
    """
    refuse_own(folder / NAME)
    described = _described(folder)
    for name, entry in entries.items():
        there = described.get(name)
        ours = {key: value for key, value in there.items() if key in entry} if isinstance(there, dict) else there
        if there is not None and ours != entry and not force:
            raise UserError(
                f"{folder / NAME} describes another dataset by the name {name}. Give another --out, or --force to "
                "replace the description."
            )


def describe(folder: Path, entries: Entries) -> None:
    """Add entries to the folder's description; keys of an entry that are a user's own stay."""
    described = _described(folder)  # as it is now: another export may have added to it
    for name, entry in entries.items():
        earlier = described.get(name)
        described[name] = (earlier if isinstance(earlier, dict) else {}) | entry
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
