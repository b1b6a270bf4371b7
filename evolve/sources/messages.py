"""From a row to the conversation that is its prompt."""

from __future__ import annotations

import json
from typing import Any

from evolve.sources.columns import HISTORY, INPUTS, SYSTEMS
from evolve.sources.conversation import RowDropped, conversation, is_turn, unpacked, whole
from prompts import Message


def messages_of(row: dict[str, Any], column: str) -> list[Message]:
    """The prompt in `column`: a string, or a list of messages up to its last user turn, also where it was stored as
    text (`evolve.sources.conversation`).

    A row's `input` or `context` follows an instruction or question after an empty line, Alpaca's `history` comes before
    as turns, and `system` or `system_prompt` is the system message where the conversation has none.
    Raises RowDropped ("empty" or "bad_row").
    """
    if column not in row:
        raise RowDropped("bad_row", f"no column {column}")
    value = unpacked(row[column])
    if isinstance(value, str):
        turns: list[Message] = []
        if value.strip():
            text = "\n\n".join([value, *_inputs(row, column, value)])
            turns = [*_history(row, column), {"role": "user", "content": whole(text)}]
    elif isinstance(value, list):
        turns = conversation(value)
    elif _is_nothing(value):
        turns = []
    else:
        raise RowDropped("bad_row", f"{column} is a {type(value).__name__}, expected a string or a list of messages")
    if not turns or not turns[-1]["content"].strip():
        raise RowDropped("empty", f"nothing in {column}")
    if turns[0]["role"] != "system" and (system := _system(row, column)):
        return [{"role": "system", "content": system}, *turns]
    return turns


def _inputs(row: dict[str, Any], column: str, asked: str) -> list[str]:
    """The texts that a prompt is about. A context that the prompt quotes already is not said twice; Self-Instruct has
    the input in the first of its `instances`.
    """
    found: dict[str, str] = {}
    for name in INPUTS.get(column, ()):
        value = row.get(name)
        if name == "instances":
            first = value[0] if isinstance(value, list) and value else None
            name, value = "input", found.get("input") or (first.get("input") if isinstance(first, dict) else None)
        text = _text(name, value)
        if text and not (name == "context" and text in asked):
            found[name] = text
    return list(found.values())


def _text(name: str, value: Any) -> str:
    """What a column beside the prompt says, "" for nothing: a text, a number, or a list of texts."""
    if _is_nothing(value):
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = "\n\n".join(one for one in value if one.strip())
    if not isinstance(value, str):
        raise RowDropped(
            "bad_row",
            f"{name} is a {type(value).__name__}, expected text (rename a column that is no part of the prompt)",
        )
    return value if value.strip() else ""


def _is_nothing(value: Any) -> bool:
    """Whether a value stands for none; pandas writes NaN for an empty cell."""
    return value is None or (isinstance(value, float) and value != value)


def _history(row: dict[str, Any], column: str) -> list[Message]:
    """Earlier turns: a list of pairs of what was said and answered, or of messages, also as a string of JSON."""
    history = row.get(HISTORY) if column != HISTORY else None
    if isinstance(history, str):
        if not history.strip():
            return []
        try:
            history = json.loads(history)
        except (ValueError, RecursionError) as error:
            raise RowDropped("bad_row", f"a history that is no list ({str(error)[:80]})") from error
    if _is_nothing(history) or history == []:
        return []
    if isinstance(history, list) and all(map(is_turn, history)):
        return _answered(history)
    said: list[dict[str, Any]] = []
    for pair in history if isinstance(history, list) else [history]:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise RowDropped("bad_row", "a history that is no list of pairs of texts")
        said += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return _answered(said)


def _answered(history: list[dict[str, Any]]) -> list[Message]:
    """The turns of a history, which a user turn is to follow: so it ends with an answer."""
    turns = conversation([*history, {"role": "user", "content": "?"}])
    return turns[:-1]


def _system(row: dict[str, Any], column: str) -> str:
    for name in SYSTEMS:
        if name != column and (text := _text(name, row.get(name))):
            return whole(text)
    return ""
