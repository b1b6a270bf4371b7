"""Rewriting examples: a prompt in one of the five short templates, and the rewritten prompt."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from recipes.factory import EMBEDDED
from recipes.factory.world.instruction import Instruction, Messages, add, draw_instruction, draw_modifier
from recipes.factory.world.modifiers import STRATEGIES

TEMPLATES = {p.stem: p.read_text().rstrip("\n") for p in sorted((EMBEDDED / "templates").glob("*.txt"))}
ALL_STRATEGIES = (*STRATEGIES, "breadth")


def request(strategy: str, messages: Messages) -> Messages:
    """The rewriting request: the conversation with its last user turn put into the strategy's template."""
    filled = TEMPLATES[strategy].replace("{prompt}", messages[-1]["content"])
    return [*messages[:-1], {"role": "user", "content": filled}]


def evolve(rng: Random, asked: Instruction, strategy: str) -> Instruction | None:
    """A harder instruction by one of the in-depth strategies, or one of the same family for "breadth"; None where
    there is none of the training side.
    """
    if strategy != "breadth":
        added = draw_modifier(rng, asked.family, tuple(m.name for m, _, _ in asked.added), strategy)
        return add(asked, added) if added else None
    kept = {k: v for k, v in asked.values.items() if k in ("before", "said")}
    for _ in range(20):  # behind an earlier turn every other wording may be held out
        drawn = draw_instruction(rng, False, asked.family, rng.choice((0, 1, 1)))
        fresh = replace(drawn, values=drawn.values | kept, persona="", system_rule=False)
        if fresh.core != asked.core and not fresh.held_out():
            return fresh
    return None


def draw_rewrite(rng: Random, held_out: bool, strategy: str = "") -> tuple[Messages, str]:
    """(request, rewritten prompt)."""
    while True:
        asked = draw_instruction(rng, held_out, n_modifiers=rng.choice((0, 0, 0, 1, 1, 2)))
        fresh = evolve(rng, asked, strategy := strategy or rng.choice(ALL_STRATEGIES))
        if fresh is not None:
            return request(strategy, asked.messages()), fresh.text()
