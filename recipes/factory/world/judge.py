"""How good an answer is, by rules: nineteen named qualities, and as their weighted mean an overall one, in [0, 1]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from recipes.factory.world.instruction import (
    CLOSERS,
    OPENERS,
    RAMBLES,
    Instruction,
    Messages,
    draw_answer,
    draw_instruction,
    read,
)
from recipes.factory.world.modifier import sentences
from recipes.factory.world.qualities import JUDGES, QUALITIES, quality_of, weights_of
from recipes.factory.world.wording import words

STEPS = 20  # the overall quality is a whole number of twentieths: what is nearer is as good


@dataclass(frozen=True)
class Verdict:
    """`quality` is the mean of `qualities` by `weights`, both of which follow QUALITIES, in whole STEPS."""

    family: str
    quality: float
    qualities: tuple[float, ...]
    weights: tuple[float, ...]


@lru_cache(maxsize=1)
def known_words() -> frozenset[str]:
    """Words that the world uses, from a sample of it."""
    rng = Random("known words")
    seen: set[str] = set()
    for _ in range(6000):
        asked = draw_instruction(rng, False)
        seen.update(words(asked.text()), words(draw_answer(rng, asked, rng.choice(("", "ramble")))))
    return frozenset(seen)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def without_rules(asked: Instruction, answer: str) -> str:
    """The answer without step numbers and without the last mention of each word that only a modifier asked for."""
    answer = re.sub(r"Step \d+:", "", answer, flags=re.I)
    for _, values in asked.rules:
        for word in {w for v in values.values() for w in v.split() if len(w) > 2 and not w.isdigit()}:
            *_, last = [None, *re.finditer(rf"\b{word}\b", answer, re.I)]
            if last and word not in asked.core:
                answer = answer[: last.start()] + answer[last.end() :]
    return answer


def true_equations(answer: str) -> float:
    found = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", answer)
    return mean([float((int(a) + int(b) if op == "+" else int(a) - int(b)) == int(c)) for a, op, b, c in found])


def repetition(answer: str) -> float:
    """Share of sentences that are said once; a phrase of four words said again counts like a sentence."""
    said = [s.strip().lower() for s in sentences(answer)]
    flat = words(answer)
    grams = [tuple(flat[i : i + 4]) for i in range(len(flat) - 3)]
    return min(len(set(said)) / max(1, len(said)), len(set(grams)) / len(grams) if grams else 1.0)


def focused(answer: str) -> float:
    said = sum(r.lower() in answer.lower() for r in (*RAMBLES, "Well, let me think", "This is not so easy"))
    return max(0.0, 1.0 - 0.3 * said)


def ended(asked: Instruction, answer: str) -> float:
    """Whether the answer comes to an end: a closing mark, the last line of a list, or the last words asked for."""
    asked_for = any(m.name == "last words" and m.check(v, answer) > 0 for m, v in asked.rules)
    return float(bool(answer) and (answer[-1] in ".!?" or "\n" in answer or asked_for))


def capitalized(asked: Instruction, answer: str) -> float:
    """Share of sentences that begin with a capital letter or with none; small letters may be asked for."""
    if any(m.name == "small letters" for m, _ in asked.rules):
        return 1.0
    return mean([float(not s.lstrip("*0123456789. ")[:1].islower()) for s in sentences(answer)])


def judge_instruction(asked: Instruction, answer: str) -> Verdict:
    """Every quality of an empty answer is 0; one that only a modifier calls for is 1 where none does."""
    said, answer, weights = words(answer), answer.strip(), weights_of(asked)
    if not said:
        return Verdict(asked.family.name, 0.0, (0.0,) * len(QUALITIES), weights)
    wanted = {w for v in asked.values.values() for w in words(v)} - {"a", "an", "the"}
    obeyed = {q: mean([m.check(v, answer) for m, v in asked.rules if quality_of(m) == q]) for q in JUDGES}
    named = obeyed | {
        "correctness": asked.family.check(asked.values, without_rules(asked, answer)),
        "verbosity": min(1.0, len(said) / 60),
        "relevance": len(wanted & set(said)) / max(1, len(wanted)),
        "arithmetic": true_equations(answer),
        "no-repetition": repetition(answer),
        "ending": ended(asked, answer),
        "capital-letters": capitalized(asked, answer),
        "known-words": mean([float(w.isdigit() or w in known_words()) for w in said]),
        "brevity": max(0.0, 1.0 - max(0, len(said) - 12) / 60),
        "friendliness": float(any(o in answer for o in (*OPENERS, *CLOSERS))),
        "structure": float("\n" in answer),
        "directness": focused(answer),
        "richness": len(set(said)) / len(said),
    }
    qualities = tuple(named[q] for q in QUALITIES)
    quality = sum(w * q for w, q in zip(weights, qualities, strict=True))
    return Verdict(asked.family.name, round(quality * STEPS) / STEPS, qualities, weights)


def judge(messages: Messages, answer: str) -> Verdict | None:
    """The verdict on `answer` to the conversation `messages`; None where the world can't read what is asked."""
    asked = read(messages)
    return None if asked is None else judge_instruction(asked, answer)
