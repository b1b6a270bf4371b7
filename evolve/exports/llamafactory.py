"""LLaMA-Factory: ranking data in the sharegpt form with OpenAI tags, and the dataset_info.json that describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolve.exports.lines import rows_of, write_lines
from evolve.pool.files import write_file

FILE = "train.jsonl"
INFO = {
    "file_name": FILE,
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


def row(pair: dict[str, Any]) -> dict[str, Any]:
    """{messages, chosen, rejected}: the prompt's messages, and one message for each response."""
    return {"messages": pair["prompt"], "chosen": pair["chosen"][0], "rejected": pair["rejected"][0]}


def write(train: Path, out: Path, name: str) -> str:
    """Write the dataset `train` (parquet) and its description, as `name`, into the folder `out`."""
    n = write_lines(out / FILE, map(row, rows_of(train)))
    write_file(out / "dataset_info.json", (json.dumps({name: INFO}, indent=2) + "\n").encode())
    return f"{out / FILE}: {n:,} pairs for llamafactory"
