"""TRL: its explicit conversational form, as in train.parquet, with nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.exports.lines import rows_of, write_lines


def row(pair: dict[str, Any]) -> dict[str, Any]:
    """{prompt, chosen, rejected}, lists of messages."""
    return {name: pair[name] for name in ("prompt", "chosen", "rejected")}


def write(train: Path, out: Path, name: str) -> str:
    """Write the dataset `train` (parquet) to the file `out`; returns a line that says so."""
    return f"{out}: {write_lines(out, map(row, rows_of(train))):,} pairs for trl"
