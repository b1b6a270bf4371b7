"""Families with one right word: sizes, opposites, synonyms, capitals."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lexicon import BY_SIZE, CAPITALS, article
from recipes.factory.world.lore import OPPOSITES, SAME
from recipes.factory.world.wording import fill, mentions, pick


def _draw_bigger(rng: Random) -> Values:
    kind = rng.choice(sorted(BY_SIZE))
    a, b = rng.sample(BY_SIZE[kind], 2)
    return {"a": article(a), "b": article(b), "size": pick(rng, "bigger", "smaller")}


def _ranked(v: Values) -> tuple[str, str] | None:
    """(smaller, bigger), with their articles."""
    for items in BY_SIZE.values():
        pair = [v["a"].split()[1], v["b"].split()[1]]
        if all(i in items for i in pair):
            small, big = sorted(pair, key=items.index)
            return article(small), article(big)
    return None


def _solve_bigger(rng: Random, v: Values, flawed: bool) -> Draft:
    small, big = _ranked(v) or (v["a"], v["b"])
    if flawed:
        small, big = big, small
    one = f"{big} is {pick(rng, 'bigger', 'larger')} than {small}"
    other = f"{small} is {pick(rng, 'smaller', 'not as big')} {{}} {big}"
    other = other.format("as" if "not as" in other else "than")
    best = big if v.get("size") == "bigger" else small
    return Draft(
        body=[rng.choice([one, other, f"{one}, so the answer is {best}", f"the answer is {best}, because {one}"])]
    )


def _check_bigger(v: Values, answer: str) -> float:
    pair = _ranked(v)
    if pair is None:
        return 0.0
    small, big = pair
    text = answer.lower()
    right = any(
        s in text
        for s in (
            f"{big} is bigger than {small}",
            f"{big} is larger than {small}",
            f"{small} is smaller than {big}",
            f"{small} is not as big as {big}",
        )
    )
    wrong = any(
        s in text
        for s in (
            f"{small} is bigger than {big}",
            f"{small} is larger than {big}",
            f"{big} is smaller than {small}",
            f"{big} is not as big as {small}",
        )
    )
    best = {"bigger": big, "smaller": small}.get(v.get("size", ""), "")
    named = re.search(r"the answer is (an? \w+)", text)
    return 1.0 if right and not wrong and (not named or named.group(1) == best) else 0.5 if right else 0.0


COMPARE = Family(
    "comparison",
    (
        "Which is {size}, {a} or {b}?",
        "Compare the size of {a} and {b}: which is {size}?",
        "Tell me which one is {size}: {a} or {b}.",
        "Do you know if {a} is {size} than {b}?",
    ),
    _draw_bigger,
    _solve_bigger,
    _check_bigger,
    lambda v: [f"think of {v['a']}", f"think of {v['b']}", "compare the two"],
    lambda v: "size",
    share=2,
)


def _one_word(
    name: str, wordings: tuple[str, ...], table: dict[str, str], slot: str, says: tuple[str, ...], topic: str
) -> Family:
    def solve(rng: Random, v: Values, flawed: bool) -> Draft:
        key = v[slot]
        made = rng.choice(sorted(table.values())) if flawed else table[key]
        return Draft(body=[fill(rng.choice(says), {"key": key, "value": made})])

    def check(v: Values, answer: str) -> float:
        return 0.0 if v[slot] not in table else float(mentions(answer, table[v[slot]]))

    return Family(
        name,
        wordings,
        lambda r: {slot: r.choice(sorted(table))},
        solve,
        check,
        lambda v: [f"think of the word {v[slot]}", "find the word that fits"],
        lambda v: topic,
    )


_BOTH_WAYS = OPPOSITES | {v: k for k, v in OPPOSITES.items()}
OPPOSITE = _one_word(
    "opposites",
    (
        "What is the opposite of {word}?",
        "Give me the opposite of the word {word}.",
        "Which word means the opposite of {word}?",
        "Tell me an antonym of {word}.",
    ),
    _BOTH_WAYS,
    "word",
    (
        "the opposite of {key} is {value}",
        "it is {value}",
        "{value}",
        "{key} and {value} are opposites",
        "the word is {value}",
    ),
    "words",
)


SYNONYM = _one_word(
    "synonyms",
    (
        "What is another word for {word}?",
        "Give me a word that means the same as {word}.",
        "Find a synonym for {word}.",
        "Which word can I use instead of {word}?",
    ),
    SAME,
    "word",
    (
        "another word for {key} is {value}",
        "you can say {value}",
        "{value}",
        "{value} means the same as {key}",
        "use {value} instead",
    ),
    "words",
)


CAPITAL = _one_word(
    "capitals",
    (
        "What is the capital of {country}?",
        "Name the capital city of {country}.",
        "Which city is the capital of {country}?",
        "Do you know the capital of {country}?",
    ),
    CAPITALS,
    "country",
    (
        "the capital of {key} is {value}",
        "it is {value}",
        "{value} is the capital of {key}",
        "{value}",
        "the capital city is {value}",
    ),
    "travel",
)
