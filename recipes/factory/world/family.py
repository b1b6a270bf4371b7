"""What a task family is, and the draft of an answer before it becomes text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from recipes.factory.world.lexicon import NUMBER_WORDS
from recipes.factory.world.wording import sentence

Values = dict[str, str]
STYLES = ("comma", "comma", "numbered", "star", "lines", "and")


@dataclass
class Draft:
    """An answer in pieces: `items` is what a list asks for, `body` are sentences; the rest is around them."""

    items: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    style: str = "comma"
    lead: str = ""  # exact words asked for at the start
    opener: str = ""
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    closer: str = ""

    def text(self) -> str:
        tail = [sentence(s) for s in [*self.body, *self.after, self.closer] if s]
        head = [opening(s) for s in [self.lead, self.opener, *self.before] if s]
        if not self.items:
            return " ".join(head + tail)
        if self.style in ("comma", "and", "semicolon"):
            return " ".join([*head, sentence(joined(self.items, self.style)), *tail])
        marks = {"numbered": [f"{i}. " for i in range(1, len(self.items) + 1)], "star": ["* "] * len(self.items)}
        lines = [
            m + i[0].upper() + i[1:]
            for m, i in zip(marks.get(self.style, [""] * len(self.items)), self.items, strict=True)
        ]
        return "\n".join([" ".join(head)] * bool(head) + lines + [" ".join(tail)] * bool(tail))


def opening(text: str) -> str:
    return text[0].upper() + text[1:] if text[-1] == ":" else sentence(text)


def joined(items: list[str], style: str) -> str:
    if style == "and" and len(items) > 1:
        return f"{', '.join(items[:-1])} and {items[-1]}"
    return ("; " if style == "semicolon" else ", ").join(items)


@dataclass(frozen=True)
class Family:
    """A kind of task.

    `draw` gives slot values, `solve(rng, values, flawed)` the draft of an answer, `check(values, answer)` its
    correctness in [0, 1], `plan` the steps of the work, `topic` the thing that the answer is about.
    """

    name: str
    wordings: tuple[str, ...]
    draw: Callable[[Random], Values]
    solve: Callable[[Random, Values, bool], Draft]
    check: Callable[[Values, str], float]
    plan: Callable[[Values], list[str]]
    topic: Callable[[Values], str]
    shape: str = "closed"  # list, story, prose or closed: which modifiers fit
    chat: bool = False  # asks about an earlier turn: values["before"] is the user's, values["said"] the assistant's
    share: int = 1  # how often training draws it beside the others: what has to be worked out needs more practice


def number(text: str) -> int:
    return NUMBER_WORDS.index(text) if text in NUMBER_WORDS else int(text)


def number_text(rng: Random, n: int) -> str:
    return NUMBER_WORDS[n] if n <= 10 and rng.random() < 0.5 else str(n)
