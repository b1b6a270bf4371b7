"""Conversations in the forms that people keep them in, up to the last user turn."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from prompts import Message

_ROLES = {
    role: name
    for name, roles in {
        "system": "system developer",
        "user": "user human prompter",
        "assistant": "assistant gpt chatgpt model bot ai bing bard",
    }.items()
    for role in roles.split()
}
_LISTS = ("messages", "conversations", "conversation")
_TEXT_PARTS = ("text", "input_text", "output_text")
_OPENS_MESSAGES = re.compile(r"""[^\[]{0,40}\[\s*\{[^{}]{0,200}?\\*["'](role|from)\\*["']\s*:""")
_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


class RowDropped(Exception):
    """A row that gives no prompt: the reason that is counted, and why in words."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason, self.why = reason, why


def conversation(value: Sequence[Any]) -> list[Message]:
    """The turns of a list of messages ({role, content} or {from, value}) up to its last user turn: what is answered
    already is no part of the prompt, and is not looked at. An empty system turn is left out. Raises RowDropped.
    """
    given = list(value)
    while given and _role(given[-1]) == "assistant":
        given.pop()
    if value and not given:
        raise RowDropped("bad_row", "no user turn")
    turns = [_turn(item) for item in given]
    if turns and turns[0]["role"] == "system" and not turns[0]["content"].strip():
        del turns[0]
    roles = [turn["role"] for turn in turns if turn["role"] != "system" or turn is not turns[0]]
    if roles != ["user" if i % 2 == 0 else "assistant" for i in range(len(roles))] or (turns and not roles):
        told = ", ".join(turn["role"] for turn in turns[:8]) + ", ..." * (len(turns) > 8)
        raise RowDropped("bad_row", f"roles {told}: expected user and assistant in turn")
    return turns


def exchange(value: Any) -> tuple[list[Message], str]:
    """The prompt, empty where none is there, and the response, as it is, of messages that end with an answer: a list of
    them, one alone, such a list stored as text, or a transcript of Human and Assistant. Raises RowDropped.
    """
    if isinstance(value, str) and value.lstrip().startswith("Human:"):
        _, *said = _SPEAKER.split(value.rstrip())
        turns = [{"role": who.lower().replace("human", "user"), "content": what.strip()} for who, what in _pairs(said)]
        value = turns
    turns = list(value) if isinstance(value, list) else [value]
    if not turns or _role(turns[-1]) != "assistant":
        raise RowDropped("bad_pair", "a conversation that does not end with an answer of the assistant")
    asked = conversation(turns[:-1]) if len(turns) > 1 else []
    if len(turns) > 1 and (not asked or asked[-1]["role"] != "user"):
        raise RowDropped("bad_pair", "an answer that does not follow a user turn")
    return asked, _turn(turns[-1])["content"]


def _pairs(said: list[str]) -> list[tuple[str, str]]:
    return list(zip(said[::2], said[1::2], strict=True))


def unpacked(value: Any) -> Any:
    """A conversation that was stored as text (JSON, or a transcript that ends where the assistant speaks) or under a
    name of its own; any other value as it is, JSON with words after it too. Raises RowDropped for text that begins as
    a list of messages and is broken.
    """
    if isinstance(value, str):
        found = _from_json(value.lstrip()) if value.lstrip()[:1] in ("[", "{", '"') else _transcript(value)
        return value if found is None else found
    if isinstance(value, dict):
        found = _listed(value)
        return value if found is None else found
    return value


def _listed(value: Any) -> list[Any] | None:
    """The messages in what may be a list of them, a single one, or an object with such a list."""
    if isinstance(value, dict):
        if is_turn(value):
            return [value]
        value = next((value[name] for name in _LISTS if name in value), None)
    return value if isinstance(value, list) and any(_has_role(one) for one in value) else None


def _has_role(item: Any) -> bool:
    return is_turn(item) or (isinstance(item, dict) and "role" in item)


def is_turn(item: Any) -> bool:
    """Whether something has the fields of a message."""
    return isinstance(item, dict) and ({"role", "content"} <= item.keys() or {"from", "value"} <= item.keys())


def whole(text: str) -> str:
    """`text` with half surrogate pairs, which no tokenizer and no file takes, as U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _from_json(text: str) -> list[Any] | None:
    try:
        found, end = json.JSONDecoder().raw_decode(text)
        if text[end:].strip():
            return None  # JSON that words follow: somebody asks about it
        return _listed(json.loads(found) if isinstance(found, str) else found)
    except (ValueError, RecursionError) as error:
        if not _OPENS_MESSAGES.match(text):
            return None
        told = "as Python prints it" if re.match(r"\[?\s*\{\s*'", text) else str(error)[:80]
        why = f"begins as messages in JSON and is none ({told}): write them as JSON, or as a list"
        raise RowDropped("bad_row", why) from error


def _transcript(text: str) -> list[Any] | None:
    """The turns of a text such as "Human: Hi.\\n\\nAssistant: Hello.\\n\\nHuman: And?\\n\\nAssistant:"."""
    if not text.rstrip().endswith("\n\nAssistant:") or not text.lstrip().startswith("Human:"):
        return None
    _, *said = _SPEAKER.split(text)
    return [{"role": "user" if who == "Human" else "assistant", "content": what.strip()} for who, what in _pairs(said)]


def _role(item: Any) -> str | None:
    found = item.get("role", item.get("from")) if isinstance(item, dict) else None
    return _ROLES.get(found.strip().lower()) if isinstance(found, str) else None


def _turn(item: Any) -> Message:
    if isinstance(item, list) and item and all(isinstance(pair, tuple) and len(pair) == 2 for pair in item):
        item = dict(item)  # a map of Arrow
    if not isinstance(item, dict):
        kind = type(item).__name__
        raise RowDropped("bad_row", f"a {kind} among the messages, expected objects with role and content")
    role = item["role"] if "role" in item else item.get("from")
    content = item.get("content") if "role" in item else item.get("value")
    if isinstance(content, list):
        content = _text_of_parts(content)
    known = _role(item)
    if known is None or not isinstance(content, str):
        told = repr(role)[:40] if isinstance(role, str) else f"of type {type(role).__name__}"
        raise RowDropped("bad_row", f"a message with role {told} and content of type {type(content).__name__}")
    return {"role": known, "content": whole(content)}


def _text_of_parts(parts: list[Any]) -> str:
    """The text of a content in parts ({type: text, text}); pictures and sound are no text."""
    for part in parts:
        is_text = isinstance(part, dict) and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str)
        if not is_text:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            told = kind[:40] if isinstance(kind, str) else type(kind).__name__
            raise RowDropped("bad_row", f"a content with a part of type {told}: expected text alone")
    return "".join(part["text"] for part in parts)
