"""LLaMA-Factory 0.9.5: ranking data in the sharegpt form with OpenAI tags, and the dataset_info.json that describes it.
Its own templates lose an empty system message and keep outer white space. Checked 2026-11-25.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolve.pool.files import not_written
from evolve.pool.output import output_file, refuse_own
from prompts.errors import UserError

DESCRIPTION = "dataset_info.json"
INFO = {
    "formatting": "sharegpt",
    "ranking": True,
    "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{messages, chosen, rejected}: the prompt's messages, and one message for each response."""
    return [{"messages": pair["prompt"], "chosen": pair["chosen"][0], "rejected": pair["rejected"][0]}]


def data_file(out: Path, name: str) -> Path:
    """The file of pairs in the folder `out`, named after the recipe: several recipes share one folder."""
    return out / f"{name}.jsonl"


def check(out: Path, name: str, force: bool) -> None:
    """Raise `UserError` if the folder's description can't be added to, or, without `force`, has another dataset of
    this name.
    """
    refuse_own(out / DESCRIPTION)
    there = _described(out).get(name)
    ours = {key: value for key, value in there.items() if key in _info(name)} if isinstance(there, dict) else there
    if there is not None and ours != _info(name) and not force:
        raise UserError(
            f"{out / DESCRIPTION} describes another dataset by the name {name}. Give another --out, or --force to "
            "replace the description."
        )


def describe(out: Path, name: str) -> None:
    """Describe NAME.jsonl in the folder's dataset_info.json, where all else is kept."""
    described = _described(out)  # as it is now: another export may have added to it
    earlier = described.get(name)
    described[name] = (earlier if isinstance(earlier, dict) else {}) | _info(name)
    with output_file(out / DESCRIPTION) as file:
        file.write((json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def _info(name: str) -> dict[str, Any]:
    return {"file_name": data_file(Path(), name).name} | INFO


def _described(out: Path) -> dict[str, Any]:
    """The datasets that the folder's description has. Raises `UserError` if it is there and can't be read."""
    path = out / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
    except OSError as error:
        raise not_written(path, error) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}). Mend it or move it away: an export adds to it.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no JSON object of datasets. Mend it or move it away: an export adds to it.")
    return found
