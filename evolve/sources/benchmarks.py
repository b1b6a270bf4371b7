"""The prompts of a benchmark: what the user says in any source of prompts, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evolve.sources.columns import COLUMNS, taken_along
from evolve.sources.conversation import RowDropped, unpacked
from evolve.sources.hub import open_hub
from evolve.sources.lines import Unreadable
from evolve.sources.location import absolute, locate
from evolve.sources.messages import messages_of
from evolve.sources.rows import Source, open_files
from prompts import Message
from prompts.errors import UserError

TURNS = "turns"  # MT-Bench's and Arena-Hard's column: texts, or {content}
KNOWN = {
    "alpaca-eval": "tatsu-lab/alpaca_eval:alpaca_eval@refs/convert/parquet#eval",
    "arena-hard": "lmarena-ai/arena-hard-auto-v0.1#train",
    "ifeval": "google/IFEval#train",
    "mt-bench": "HuggingFaceH4/mt_bench_prompts#train",
}
"""The benchmarks that are known by a name, as NAME[:CONFIG][@REVISION]#SPLIT on the Hub. AlpacaEval's own branch is a
script, which `datasets` does not run, so that the Hub's conversion of it is read."""


def fixed(source: str) -> str:
    """`source` as it means the same in any folder: a path from the root, a name as it is. A known name is never a file:
    ./ifeval is.
    """
    if source in KNOWN:
        return source
    name, hash_, split = source.partition("#")
    return absolute(source) if _is_there(source) else absolute(name) + hash_ + split


def _is_there(source: str) -> bool:
    try:
        return Path(source).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False  # opening it says why


def benchmark_prompts(source: str) -> list[tuple[int, str]]:
    """The user's turns in a benchmark, each with its row, from 0: a file, a folder or a Hub dataset, with #SPLIT where
    there are several splits. Rows that can't be read or are empty are left out.

    The column is the first of COLUMNS that is there, or `turns`. Raises `UserError` for a source that is not there,
    that can't be read, without such a column, or without any prompt.
    """
    opened = _opened(KNOWN.get(source, source))
    column = next((name for name in (*COLUMNS, TURNS) if name in opened.columns), None)
    if column is None:
        names = ", ".join(opened.columns) or "none that can be read"
        raise UserError(
            f"The benchmark {source} has the columns {names}; expected one of {', '.join((*COLUMNS, TURNS))}. Rename "
            "the one with the prompts."
        )
    along = [name for name in taken_along(column) if name in opened.columns]
    found: list[tuple[int, str]] = []
    n_rows = 0
    for n_rows, row in enumerate(opened.rows([column, *along]), 1):
        found += [(n_rows - 1, text) for text in _turns(row, column)]
    if not found:
        raise UserError(
            f"The benchmark {source} has no prompt in column {column} ({n_rows} rows). Expected texts or lists of "
            "messages."
        )
    return found


def _opened(source: str) -> Source:
    if _is_there(source):  # a file's name may have a # in it
        return open_files(locate(source))
    name, _, split = source.partition("#")
    location = locate(name, split or None)
    if location.files:
        return open_files(location)
    try:
        return open_hub(name, split or None)
    except UserError as error:
        if split:
            raise
        raise UserError(f"{error} A benchmark's split is named as {name}#SPLIT.") from error


def _turns(row: dict[str, Any] | Unreadable, column: str) -> Iterator[str]:
    if isinstance(row, Unreadable):
        return
    try:
        value = unpacked(row.get(column))
        if isinstance(value, list) and value and all(_is_text(turn) for turn in value):
            said = [turn if isinstance(turn, str) else str(turn["content"]) for turn in value]
        else:
            said = said_by_user(messages_of(row, column))
    except RowDropped:
        return
    yield from (text for text in said if text.strip())


def _is_text(turn: Any) -> bool:
    """Whether a turn is the user's without saying so."""
    if isinstance(turn, dict):
        return "role" not in turn and "from" not in turn and isinstance(turn.get("content"), str)
    return isinstance(turn, str)


def said_by_user(messages: list[Message]) -> list[str]:
    """The texts of the user's turns."""
    return [turn["content"] for turn in messages if turn["role"] == "user"]
