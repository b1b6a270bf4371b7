"""OpenRLHF: whole conversations in chosen and rejected, `margin` for its margin loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.exports.lines import rows_of, write_lines


def row(pair: dict[str, Any]) -> dict[str, Any]:
    """{chosen, rejected, margin}: the prompt is the start of both conversations."""
    both = {name: pair["prompt"] + pair[name] for name in ("chosen", "rejected")}
    return both | {"margin": pair["reward_margin"]}


def write(train: Path, out: Path, name: str) -> str:
    """Write the dataset `train` (parquet) to the file `out`; returns a line that says so."""
    return f"{out}: {write_lines(out, map(row, rows_of(train))):,} pairs for openrlhf"
