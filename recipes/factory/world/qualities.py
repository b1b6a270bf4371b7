"""The nineteen qualities of an answer, and how much each counts for an instruction."""

from __future__ import annotations

from collections import Counter

from recipes.factory.world.instruction import Instruction
from recipes.factory.world.modifier import Modifier
from recipes.factory.world.numbers import PROBLEM, SUM

QUALITIES = (
    "correctness",
    "length-limit",
    "wording",
    "layout",
    "depth",
    "verbosity",
    "concreteness",
    "reasoning",
    "relevance",
    "arithmetic",
    "no-repetition",
    "ending",
    "capital-letters",
    "known-words",
    "brevity",
    "friendliness",
    "structure",
    "directness",
    "richness",
)
OBJECTIVE_NAMES = tuple(f"world-{q}" for q in QUALITIES)
VERBOSITY = QUALITIES.index("verbosity")
# The quality that a modifier is judged by: its strategy's, or for a constraint the kind of rule that it is.
JUDGES = {
    "depth": ("deepen",),
    "concreteness": ("concretize",),
    "reasoning": ("reasoning",),
    "length-limit": ("short",),
    "wording": ("include", "avoid", "first words", "last words"),
    "layout": ("small letters", "numbered lines", "stars", "no commas"),
}
QUALITY = {rule: quality for quality, rules in JUDGES.items() for rule in rules}
# What counts in every answer, and what counts too where the kind of task calls for it. Only proportions matter.
ALWAYS = {"correctness": 10, "directness": 4, "no-repetition": 3, "ending": 1, "known-words": 1, "capital-letters": 1}
BY_SHAPE = {"closed": {}, "list": {"structure": 1}, "prose": {"relevance": 2}, "story": {"relevance": 2, "richness": 2}}
RULE = 3  # for each modifier


def quality_of(modifier: Modifier) -> str:
    """The quality that tells whether an answer obeys `modifier`."""
    return QUALITY.get(modifier.strategy) or QUALITY[modifier.name]


def weights_of(asked: Instruction) -> tuple[float, ...]:
    """How much each of QUALITIES counts in an answer to `asked`: not negative, summing to 1."""
    counts = Counter(ALWAYS) + Counter(BY_SHAPE[asked.family.shape])
    counts.update({"arithmetic": 2} if asked.family in (SUM, PROBLEM) else {})
    counts.update({"friendliness": 1} if asked.family.chat else {})
    counts.update({"brevity": 2} if asked.family.shape == "closed" and not asked.rules else {})
    for modifier, _ in asked.rules:
        counts[quality_of(modifier)] += RULE
    return tuple(counts[q] / counts.total() for q in QUALITIES)
