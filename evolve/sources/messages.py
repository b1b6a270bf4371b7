"""From a row to the conversation that is its prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prompts import Message

# What a column takes along, if the row has it: without it the prompt makes no sense, or is another one.
INPUTS = {
    "instruction": ("input", "context", "instances"),  # Alpaca, Dolly, Self-Instruct
    "question": ("context", "input"),
    "query": ("context", "input"),
}
SYSTEMS = ("system_prompt", "system")  # OpenOrca, ShareGPT
HISTORY = "history"  # Alpaca's earlier turns: pairs of what was said and answered

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}


class RowDropped(Exception):
    """A row that gives no prompt: the reason that is counted, and why in words."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason, self.why = reason, why


def taken_along(column: str) -> tuple[str, ...]:
    """The columns beside `column` that are part of the prompt where a row has them."""
    return (*INPUTS.get(column, ()), HISTORY, *SYSTEMS)


def messages_of(row: dict[str, Any], column: str) -> list[Message]:
    """The prompt in `column`: a string, or a list of messages ({role, content} or {from, value}) up to its last user
    turn, also as a string of JSON.

    A row's `input` or `context` follows an instruction or question after an empty line, Alpaca's `history` comes before
    as turns, and `system` or `system_prompt` is the system message where the conversation has none. Trailing answers
    and empty system turns are left out. Half surrogate pairs, which no tokenizer and no file takes, become U+FFFD.
    Raises RowDropped ("empty" or "bad_row").
    """
    if column not in row:
        raise RowDropped("bad_row", f"no column {column}")
    value = _parsed(row[column])
    if isinstance(value, str):
        text = value + _input(row, column) if value.strip() else value
        turns: list[Message] = [*_history(row), {"role": "user", "content": _whole(text)}]
    elif isinstance(value, list):
        turns = _conversation(value)
    elif value is None:
        raise RowDropped("empty", f"nothing in {column}")
    else:
        raise RowDropped("bad_row", f"{column} is a {type(value).__name__}, expected a string or a list of messages")
    if not turns or not turns[-1]["content"].strip():
        raise RowDropped("empty", f"nothing in {column}")
    return _with_system(turns, row)


def _parsed(value: Any) -> Any:
    """A conversation that was stored as text; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list) and found and all(map(_is_turn, found)) else value


def _is_turn(item: Any) -> bool:
    return isinstance(item, dict) and ({"role", "content"} <= item.keys() or {"from", "value"} <= item.keys())


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
    if isinstance(content, list):
        content = _text_of_parts(content)
    if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
        told = repr(role)[:40] if isinstance(role, str) else f"of type {type(role).__name__}"
        raise RowDropped("bad_row", f"a message with role {told} and content of type {type(content).__name__}")
    return {"role": _ROLES[role], "content": _whole(content)}


def _text_of_parts(parts: list[Any]) -> str:
    """The text of a content in parts ({type: text, text}); pictures and sound are no text."""
    for part in parts:
        if not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise RowDropped("bad_row", f"a content with a part of type {str(kind)[:40]}: expected text alone")
    return "".join(part["text"] for part in parts)


def _input(row: dict[str, Any], column: str) -> str:
    for name in INPUTS.get(column, ()):
        found = row.get(name)
        if name == "instances":
            first = found[0] if isinstance(found, list) and found else None
            found = first.get("input") if isinstance(first, dict) else None
        if isinstance(found, str) and found.strip():
            return f"\n\n{found}"
    return ""


def _history(row: dict[str, Any]) -> list[Message]:
    turns: list[Message] = []
    history = row.get(HISTORY) or []
    for pair in history if isinstance(history, list) else [history]:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise RowDropped("bad_row", "a history that is no list of pairs of texts")
        turns.append({"role": "user", "content": _whole(pair[0])})
        turns.append({"role": "assistant", "content": _whole(pair[1])})
    return turns


def _with_system(turns: list[Message], row: dict[str, Any]) -> list[Message]:
    found = next((row[name] for name in SYSTEMS if isinstance(row.get(name), str) and row[name].strip()), None)
    if found is None or turns[0]["role"] == "system":
        return turns
    return [{"role": "system", "content": _whole(found)}, *turns]


def _whole(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
