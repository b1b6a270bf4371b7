"""From a row to the conversation that is its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompts import Message

INPUT_COLUMNS = ("input", "instances")

_ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}


class RowDropped(Exception):
    """A row that gives no prompt: the reason that is counted, and why in words."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason, self.why = reason, why


def messages_of(row: dict[str, Any], column: str) -> list[Message]:
    """The prompt in `column`: a string, or a list of messages ({role, content} or {from, value}) up to its last user
    turn.

    A column called `instruction` takes the row's `input` along, after an empty line, as the instruction makes no sense
    without it (also from `instances[0].input`, where Self-Instruct has it). Trailing answers and empty system turns
    are left out. Half surrogate pairs, which no tokenizer and no file takes, become U+FFFD. Raises RowDropped ("empty"
    or "bad_row").
    """
    if column not in row:
        raise RowDropped("bad_row", f"no column {column}")
    value = row[column]
    if isinstance(value, str):
        text = value + _input(row) if column == "instruction" and value.strip() else value
        turns: list[Message] = [{"role": "user", "content": _whole(text)}]
    elif isinstance(value, list):
        turns = _conversation(value)
    elif value is None:
        raise RowDropped("empty", f"nothing in {column}")
    else:
        raise RowDropped("bad_row", f"{column} is a {type(value).__name__}, expected a string or a list of messages")
    if not turns or not turns[-1]["content"].strip():
        raise RowDropped("empty", f"nothing in {column}")
    return turns


def _conversation(value: Sequence[Any]) -> list[Message]:
    turns = [_turn(item) for item in value]
    while turns and turns[-1]["role"] == "assistant":
        turns.pop()
    if value and not turns:
        raise RowDropped("bad_row", "no user turn")
    if turns and turns[0]["role"] == "system" and not turns[0]["content"].strip():
        del turns[0]
    roles = [turn["role"] for turn in turns if turn["role"] != "system" or turn is not turns[0]]
    if roles != ["user" if i % 2 == 0 else "assistant" for i in range(len(roles))] or (turns and not roles):
        raise RowDropped(
            "bad_row", f"roles {', '.join(turn['role'] for turn in turns)}: expected user and assistant in turn"
        )
    return turns


def _turn(item: Any) -> Message:
    if not isinstance(item, dict):
        raise RowDropped(
            "bad_row", f"a {type(item).__name__} among the messages, expected objects with role and content"
        )
    role, content = (item.get("role"), item.get("content")) if "role" in item else (item.get("from"), item.get("value"))
    if role not in _ROLES or not isinstance(content, str):
        raise RowDropped("bad_row", f"a message with role {role!r} and content of type {type(content).__name__}")
    return {"role": _ROLES[role], "content": _whole(content)}


def _input(row: dict[str, Any]) -> str:
    found = row.get("input")
    if (
        found is None
        and isinstance(row.get("instances"), list)
        and row["instances"]
        and isinstance(row["instances"][0], dict)
    ):
        found = row["instances"][0].get("input")
    return f"\n\n{found}" if isinstance(found, str) and found.strip() else ""


def _whole(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
