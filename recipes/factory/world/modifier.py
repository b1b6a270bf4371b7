"""What a modifier is, and the ways in which answers obey one and are checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from recipes.factory.world.family import Draft, Family, Values, number
from recipes.factory.world.lexicon import CITIES, KINDS, NAMES
from recipes.factory.world.lore import OBJECTS, PLACES
from recipes.factory.world.wording import fill, mentions, words

ALL = frozenset({"list", "story", "prose", "closed"})


Apply = Callable[[Random, Draft, Values, Family, Values], None]


@dataclass(frozen=True)
class Modifier:
    """`apply` shapes the draft, `finish` the text; `check(values, answer)` tells in [0, 1] whether an answer obeys."""

    name: str
    strategy: str
    wordings: tuple[str, ...]
    check: Callable[[Values, str], float]
    draw: Callable[[Random], Values] = lambda rng: {}
    apply: Apply = lambda rng, draft, m, family, v: None
    finish: Callable[[Values, str], str] = lambda m, text: text
    shapes: frozenset[str] = ALL
    prefix: bool = False  # stands before the instruction


def sentences(answer: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+|\n", answer) if s.strip()]


def bare(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.closer = ""
    if len(draft.items) + len(draft.body) > 2:
        draft.opener = ""
    draft.style = "comma" if draft.style == "numbered" else draft.style


def shorten(m: Values, text: str) -> str:
    limit, kept = number(m["n"]), list(sentences(text))
    while len(kept) > 1 and len(words(" ".join(kept))) > limit and "\n" not in text:
        kept.pop()
    return text if "\n" in text else " ".join(kept)


def in_style(name: str) -> Apply:
    def apply(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
        draft.style = name
        if not draft.items:
            draft.items, draft.body = [re.sub(r"^(first|then|after that|finally), ", "", s) for s in draft.body], []

    return apply


def line_share(answer: str, mark: str) -> float:
    rows = [line for line in answer.split("\n") if line.strip()]
    return min(1.0, sum(bool(re.match(mark, r)) for r in rows) / max(2, len(rows) - 1))


def open_with(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.lead, draft.opener = m["phrase"], ""


def put(field: str, *choices: str) -> Apply:
    """Append one of `choices` (slots: the modifier's values and `topic`) to the list `field` of the draft."""

    def apply(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
        getattr(draft, field).append(fill(rng.choice(choices), {**m, "topic": family.topic(v)}))

    return apply


def drop_closer(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.closer = ""


def has(*patterns: str) -> Callable[[Values, str], float]:
    """Share of `patterns` (regular expressions, slots filled from the modifier) that the answer contains."""

    def check(m: Values, answer: str) -> float:
        return sum(
            bool(re.search(re.sub(r"\{(\w+)\}", lambda s: m[s.group(1)], p), answer, re.I)) for p in patterns
        ) / len(patterns)

    return check


def starts(m: Values, answer: str) -> float:
    return float(answer.lower().startswith(m["phrase"].lower()))


def ends(m: Values, answer: str) -> float:
    return 1.0 if answer.lower().rstrip(".!").endswith(m["phrase"].lower()) else 0.4 * mentions(answer, m["phrase"])


def within(m: Values, answer: str) -> float:
    over = len(words(answer)) - number(m["n"])
    return 1.0 if over <= 0 else max(0.0, 0.7 - 0.1 * over)


PHRASES = ["that is all", "good luck", "thank you", "have a nice day", "see you soon", "I hope this helps"]
OPENINGS = ["dear friend", "good question", "as you asked", "well then", "listen to this", "let us see"]
AVOID = ["very", "good", "here", "sure", "also", "nice", "well"]
ASK = KINDS["fruits"] + OBJECTS + PLACES
AUDIENCES = ["a young child", "a new student", "an old farmer", "a busy doctor", "a curious tourist", "a tired parent"]


def draw_audience(rng: Random) -> Values:
    return {"audience": rng.choice(AUDIENCES), "place": rng.choice(PLACES)}


def draw_person(rng: Random) -> Values:
    return {"name": rng.choice(NAMES), "job": rng.choice(KINDS["jobs"]), "city": rng.choice(CITIES)}


def without_word(m: Values, text: str) -> str:
    return re.sub(rf"\b{m['word']}\b ?,? ?", "", text, flags=re.I).strip() or text
