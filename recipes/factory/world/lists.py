"""Families whose answer is a list: naming and sorting."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import STYLES, Draft, Family, Values, number, number_text
from recipes.factory.world.lexicon import KIND_OF, KINDS, plural
from recipes.factory.world.wording import mentions, pick, words


def named(kind: str, answer: str) -> list[str]:
    """Members of `kind` that the answer names, singular or plural, in the order of the lexicon."""
    return [item for item in KINDS[kind] if re.search(rf"\b({item}|{plural(item)})\b", answer.lower())]


def _draw_list(rng: Random) -> Values:
    return {"n": number_text(rng, rng.randint(2, 6)), "kind": rng.choice(sorted(KINDS))}


def _solve_list(rng: Random, v: Values, flawed: bool) -> Draft:
    n, pool = number(v["n"]), KINDS[v["kind"]]
    if flawed and rng.random() < 0.6:
        n = max(1, min(len(pool), n + rng.choice((-2, -1, 1, 2))))
    items = rng.sample(pool, n)
    if flawed and rng.random() < 0.6:
        items[rng.randrange(n)] = rng.choice([i for i in KIND_OF if KIND_OF[i] != v["kind"]])
    opener = rng.choice([f"Here are {v['n']} {v['kind']}:", "Here is the list:", f"Some {v['kind']}:", "", "", ""])
    return Draft(items=items, style=rng.choice(STYLES), opener=opener)


def _check_list(v: Values, answer: str) -> float:
    kind = v["kind"]
    if kind not in KINDS:
        return 0.0
    n, found = number(v["n"]), len(named(kind, answer))
    strangers = sum(mentions(answer, i) for i in KIND_OF if KIND_OF[i] != kind)
    return max(0.0, 1 - abs(found - n) / n) * max(0.0, 1 - 0.4 * strangers)


NAMING = Family(
    "naming",
    (
        "List {n} {kind}.",
        "Name {n} {kind}.",
        "Give me {n} examples of {kind}.",
        "Please write down {n} {kind}.",
        "Can you name {n} {kind}?",
        "I need a list of {n} {kind}.",
        "Tell me {n} {kind} that you know.",
    ),
    _draw_list,
    _solve_list,
    _check_list,
    lambda v: [f"think of {v['kind']}", f"pick {v['n']} of them"],
    lambda v: v["kind"],
    "list",
    share=2,
)


def last_mentions(answer: str, items: list[str]) -> list[str]:
    """The last len(items) mentions of any of `items` in the answer: where the result stands when steps come first."""
    return [w for w in words(answer) if w in items][-len(items) :]


def ordered_score(want: list[str], answer: str) -> float:
    got = last_mentions(answer, want)
    if got == want:
        return 1.0
    return 0.3 if sorted(got) == sorted(want) else 0.1 if got else 0.0


def _shuffled(rng: Random, pool: list[str], low: int, high: int) -> Values:
    return {"items": ", ".join(rng.sample(pool, rng.randint(low, high)))}


def _swap(rng: Random, items: list[str], flawed: bool) -> list[str]:
    if flawed and rng.random() < 0.7:
        i = rng.randrange(len(items) - 1)
        items[i], items[i + 1] = items[i + 1], items[i]
    elif flawed:
        items.pop(rng.randrange(len(items)))
    return items


def _solve_words(rng: Random, v: Values, flawed: bool) -> Draft:
    opener = pick(rng, "", "", "In alphabetical order:", "Sorted from A to Z:", "Here is the sorted list:")
    return Draft(items=_swap(rng, sorted(v["items"].split(", ")), flawed), style=rng.choice(STYLES), opener=opener)


SORT_WORDS = Family(
    "sort words",
    (
        "Sort these words in alphabetical order: {items}.",
        "Put the words in alphabetical order: {items}.",
        "Arrange from A to Z: {items}.",
        "Can you sort these words by the alphabet: {items}?",
    ),
    lambda r: _shuffled(r, sorted(KIND_OF), 3, 4),
    _solve_words,
    lambda v, a: ordered_score(sorted(v["items"].split(", ")), a),
    lambda v: ["look at the first letter of each word", f"put {min(v['items'].split(', '))} first"],
    lambda v: "the alphabet",
    "list",
    share=3,
)


def _by_value(v: Values) -> list[str]:
    return sorted(v["items"].split(", "), key=int)


def _solve_numbers(rng: Random, v: Values, flawed: bool) -> Draft:
    opener = pick(rng, "", "", "From small to large:", "In order:", "Here is the sorted list:")
    style = rng.choice([s for s in STYLES if s != "numbered"])
    return Draft(items=_swap(rng, _by_value(v), flawed), style=style, opener=opener)


def _check_numbers(v: Values, answer: str) -> float:
    items = v["items"].split(", ")
    return ordered_score(_by_value(v), answer) if all(i.isdigit() for i in items) else 0.0


SORT_NUMBERS = Family(
    "sort numbers",
    (
        "Sort these numbers from smallest to largest: {items}.",
        "Put in order, smallest first: {items}.",
        "Arrange the numbers {items} in rising order.",
        "Can you sort the numbers {items} for me?",
    ),
    lambda r: _shuffled(r, [str(i) for i in range(10, 100)], 3, 4),
    _solve_numbers,
    _check_numbers,
    lambda v: [f"{_by_value(v)[0]} is the smallest", f"{_by_value(v)[-1]} is the largest"],
    lambda v: "numbers",
    "list",
    share=2,
)
