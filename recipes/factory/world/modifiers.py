"""Sentences that make an instruction harder, by strategy, and how they are found in a text."""

from __future__ import annotations

from recipes.factory.world.constraints import CONSTRAINTS
from recipes.factory.world.depth import CONCRETIZE, DEEPEN, REASONING
from recipes.factory.world.family import Values
from recipes.factory.world.modifier import Modifier
from recipes.factory.world.wording import find

MODIFIERS = (*CONSTRAINTS, *DEEPEN, *CONCRETIZE, *REASONING)
STRATEGIES = ("constraints", "deepen", "concretize", "reasoning")


def read_modifiers(text: str) -> tuple[list[tuple[Modifier, Values]], str]:
    """The modifiers that stand in `text`, with their values, and what is left of the text without them."""
    found = []
    for modifier in MODIFIERS:
        for wording in modifier.wordings:
            hit = find(wording, text)
            if hit:
                found.append((modifier, hit.groupdict()))
                text = (text[: hit.start()] + text[hit.end() :]).replace("  ", " ").strip()
    return found, text
