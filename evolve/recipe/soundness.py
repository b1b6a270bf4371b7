"""What no value of a recipe may be, whatever its key: a secret, a date, text no file takes, a number without end."""

from __future__ import annotations

import math
import os
import reprlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from prompts.display import holds_secret, is_secret_key, redacted

DEEPEST = 16
LARGEST = 2**63 - 1  # JSON and parquet readers take integers of 64 bits
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on all common file systems

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 200


def quoted(value: Any) -> str:
    """A value as an error quotes it: short, and without its secrets."""
    if isinstance(value, int) and abs(value) > LARGEST:  # Python refuses to write out thousands of digits
        return f"an integer of {value.bit_length()} bits"
    return _brief.repr(redacted(value)) if _depth(value) <= DEEPEST else "a value of many levels"


def faults(data: Any) -> list[str]:
    """What is wrong with the values of a recipe, each with its key."""
    return [f"{key or 'recipe'}: {what}" for key, what in _faults(data, "", 0)]


def _faults(value: Any, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST:
        yield _short(key), f"more than {DEEPEST} levels of tables or lists"
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else str(name)
            if is_secret_key(str(name)):
                yield _short(inner), "a recipe is stored and shown with its dataset, so it takes no secret. " + _WAY_OUT
            else:
                if fault := _of_text(str(name)):
                    yield _short(inner), fault
                yield from _faults(item, inner, depth + 1)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _faults(item, f"{key}[{i}]", depth + 1)
    elif fault := _of_one(value):
        yield _short(key), fault


def _of_one(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, int):
        return "" if abs(value) <= LARGEST else f"{quoted(value)}, expected one of 64 bits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"expected a finite number (found {value})"
    return f"a {type(value).__name__} where text, a number, true or false was expected: put it in quotes if it is text"


def _of_text(text: str) -> str:
    if "\0" in text:
        return "text with a NUL character in it, which no file name and no tokenizer takes"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text that is not Unicode (half a surrogate pair, or bytes that are not UTF-8)"
    if holds_secret(text):
        return "credentials in its value. A recipe is stored and shown with its dataset. " + _WAY_OUT
    return ""


_WAY_OUT = "Give it in the environment: HF_TOKEN for the Hub, OPENAI_API_KEY for a server"


def _depth(value: Any, depth: int = 0) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return depth if depth > DEEPEST else max((_depth(item, depth + 1) for item in inner), default=depth)


def _short(key: str) -> str:
    return key if len(key) <= 100 else key[:97] + "..."


def _place(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    if len(value.encode()) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in value.split("/")):
        raise ValueError(f"longer than a path can be ({LONGEST_NAME} bytes for a name, {LONGEST_PATH} in all)")
    try:
        os.fsencode(value)
    except UnicodeEncodeError as error:
        name = sys.getfilesystemencoding()
        raise ValueError(f"no name in this system's encoding ({name}): set PYTHONUTF8=1, or LC_ALL=C.UTF-8") from error
    try:
        Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such home folder: give the path in full") from error
    return value


Place = Annotated[str, AfterValidator(_place)]
"""A path, or a name that may turn out to be one."""
