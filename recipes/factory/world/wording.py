"""One template serves both ways: it renders an instruction from slot values and reads the values back from a text."""

from __future__ import annotations

import re
from functools import cache
from random import Random

SLOT = re.compile(r"\{(\w+)\}")
# A slot matches by its name; any other slot is one word.
PATTERNS = {
    "n": r"\d+|one|two|three|four|five|six|seven|eight|nine|ten",
    "x": r"\d+",
    "y": r"\d+",
    "items": r"[\w ,]+",
    "text": r"[\w ,']+",
    "a": r"an? \w+",
    "b": r"an? \w+",
    "noun": r"an? \w+",
    "phrase": r"[\w ]+",
    "task": r"[\w ]+",
    "topic": r"[\w ]+",
    "audience": r"[\w ]+?",
    "request": r"[\w ]+",
    "country": r"\w+",
    "format": r"[\w ]+?",
}


@cache
def _regex(template: str) -> re.Pattern[str]:
    seen: set[str] = set()
    out = []
    for i, piece in enumerate(SLOT.split(template)):
        if i % 2 == 0:
            out.append(re.escape(piece))
        elif piece in seen:
            out.append(f"(?P={piece})")
        else:
            seen.add(piece)
            out.append(f"(?P<{piece}>{PATTERNS.get(piece, r'[A-Za-z]+')})")
    return re.compile("".join(out))


def fill(template: str, values: dict[str, str]) -> str:
    return SLOT.sub(lambda m: values[m.group(1)], template)


def match_whole(template: str, text: str) -> dict[str, str] | None:
    found = _regex(template).fullmatch(text)
    return found.groupdict() if found else None


def find(template: str, text: str) -> re.Match[str] | None:
    return _regex(template).search(text)


def slots(template: str) -> set[str]:
    return set(SLOT.findall(template))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", text.lower())


def mentions(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def pick(rng: Random, *choices: str) -> str:
    return rng.choice(choices)


def sentence(text: str) -> str:
    """`text` with a capital first letter and a full stop unless it ends with punctuation."""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."
