"""Which column has the prompts, what else of a row is part of them, and what is not read."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from prompts.errors import UserError

log = logging.getLogger(__name__)

COLUMNS = ("prompt", "messages", "conversations", "conversation", "instruction", "question", "query", "problem", "text")
# What follows a column's text, if the row has it: without it the prompt makes no sense, or is another one.
INPUTS = {
    "prompt": ("context",),
    "instruction": ("context", "input", "instances"),  # Dolly; Alpaca; Self-Instruct
    "question": ("context", "input"),
    "query": ("context", "input"),
    "problem": ("context", "input"),
}
SYSTEMS = ("system_prompt", "system")  # OpenOrca; ShareGPT and Alpaca
HISTORY = "history"  # Alpaca's earlier turns
_TREES = ("role", "parent_id")  # with these a row's text is one message of many, and the answers are rows too
_TOLD = 12  # columns named in a line of the log


def taken_along(column: str) -> tuple[str, ...]:
    """The columns beside `column` that are part of the prompt where a row has them."""
    return tuple(name for name in (*INPUTS.get(column, ()), HISTORY, *SYSTEMS) if name != column)


def choose(source: str, there: Sequence[str], column: str | None) -> str:
    """The column with the prompts: `column`, or the first of COLUMNS among those that are there. What is taken along
    and what is not read is told in the log. Raises `UserError` where there is none.
    """
    names = ", ".join(there)
    if column is not None and column not in there:
        raise UserError(f"{source} has no column {column}. There are: {names}. Set `prompts.column` to one of them.")
    found = column or next((name for name in COLUMNS if name in there), None)
    if found is None:
        raise UserError(
            f"{source} has the columns {names}; expected one of {', '.join(COLUMNS)}. "
            "Set `prompts.column` to the one with the prompts."
        )
    if column is None and found == "text" and any(name in there for name in _TREES):
        raise UserError(
            f"{source} has a message in each row (columns {names}), answers among them. Make a row of each "
            "conversation with a column of messages, or keep the opening prompts alone and set `prompts.column`."
        )
    _tell(source, there, found)
    return found


def _tell(source: str, there: Sequence[str], column: str) -> None:
    along = [name for name in taken_along(column) if name in there]
    ignored = [name for name in there if name != column and name not in along]
    told = f" with {', '.join(along)}" if along else ""
    if ignored:
        more = f" and {len(ignored) - _TOLD} more" if len(ignored) > _TOLD else ""
        told += f"; not read: {', '.join(ignored[:_TOLD])}{more}"
    log.info("%s: prompts are taken from %s%s", source, column, told)
