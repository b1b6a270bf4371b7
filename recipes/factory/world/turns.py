"""Families that look back at an earlier turn of the conversation."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import STYLES, Draft, Family, Values, number, number_text
from recipes.factory.world.lexicon import CITIES, KIND_OF, KINDS, NAMES
from recipes.factory.world.lists import named, ordered_score
from recipes.factory.world.wording import fill, mentions, pick, words


def _draw_recall(rng: Random) -> Values:
    v = {
        "name": rng.choice(NAMES),
        "city": rng.choice(CITIES),
        "job": rng.choice(KINDS["jobs"]),
        "field": pick(rng, "name", "city", "job"),
    }
    before = pick(
        rng,
        "My name is {name}, my city is {city} and my job is {job}.",
        "Hello, I am {name}, I live in {city} and I work as a {job}.",
    )
    said = pick(rng, "Nice to meet you, {name}.", "Hello {name}, how can I help you?", "Thank you for telling me.")
    return {"field": v["field"], "before": fill(before, v), "said": fill(said, v)}


def _fact(v: Values) -> str:
    found = {
        "name": r"(?:name is|I am) (\w+)",
        "city": r"(?:city is|live in) (\w+)",
        "job": r"(?:job is|work as a) (\w+)",
    }
    hit = re.search(found.get(v["field"], r"$^"), v["before"])
    return hit.group(1) if hit else ""


def _solve_recall(rng: Random, v: Values, flawed: bool) -> Draft:
    pool = {"name": NAMES, "city": CITIES, "job": KINDS["jobs"]}[v["field"]]
    made = rng.choice(pool) if flawed else _fact(v)
    return Draft(
        body=[
            pick(
                rng, f"your {v['field']} is {made}", f"you said that your {v['field']} is {made}", f"it is {made}", made
            )
        ]
    )


RECALL = Family(
    "recall",
    (
        "What is my {field}?",
        "Do you remember my {field}?",
        "Can you tell me my {field} again?",
        "What did I say about my {field}?",
    ),
    _draw_recall,
    _solve_recall,
    lambda v, a: float(bool(_fact(v)) and mentions(a, _fact(v))),
    lambda v: ["look at the first message", f"find the {v['field']}"],
    lambda v: f"your {v['field']}",
    chat=True,
)


def _draw_follow(rng: Random) -> Values:
    kind, n = rng.choice(sorted(KINDS)), rng.randint(3, 4)
    return {
        "before": f"Name {n} {kind}.",
        "said": ", ".join(rng.sample(KINDS[kind], n)).capitalize() + ".",
        "n": number_text(rng, rng.randint(1, 3)),
    }


def _follow(v: Values) -> tuple[str, list[str]]:
    kind = v["before"].rstrip(".").split()[-1]
    said = [w for w in words(v["said"]) if KIND_OF.get(w) == kind]
    return kind, said


def _solve_more(rng: Random, v: Values, flawed: bool) -> Draft:
    kind, said = _follow(v)
    pool = said if flawed and rng.random() < 0.5 else [i for i in KINDS[kind] if i not in said]
    n = min(len(pool), number(v["n"]) + (rng.choice((0, 1, 2)) if flawed else 0))
    return Draft(
        items=rng.sample(pool, n), style=rng.choice(STYLES), opener=pick(rng, "", "", f"More {kind}:", "Here you go:")
    )


def _check_more(v: Values, answer: str) -> float:
    kind, said = _follow(v)
    new = [i for i in (named(kind, answer) if kind in KINDS else []) if i not in said]
    n = number(v["n"])
    return max(0.0, 1 - abs(len(new) - n) / n)


MORE = Family(
    "follow-up more",
    ("Give me {n} more.", "Please add {n} more to the list.", "Can you think of {n} more?", "I need {n} more of them."),
    _draw_follow,
    _solve_more,
    _check_more,
    lambda v: ["read the first list", f"think of {v['n']} more"],
    lambda v: _follow(v)[0],
    "list",
    chat=True,
    share=2,
)


def _solve_resort(rng: Random, v: Values, flawed: bool) -> Draft:
    items = sorted(_follow(v)[1])
    if flawed:
        rng.shuffle(items)
    return Draft(items=items, style=rng.choice(STYLES), opener=pick(rng, "", "", "Sorted:", "In alphabetical order:"))


RESORT = Family(
    "follow-up sort",
    (
        "Now sort them in alphabetical order.",
        "Put them in alphabetical order, please.",
        "Can you sort that list from A to Z?",
    ),
    _draw_follow,
    _solve_resort,
    lambda v, a: ordered_score(sorted(_follow(v)[1]), a) if _follow(v)[1] else 0.0,
    lambda v: ["look at the first letters", "put them in order"],
    lambda v: "the alphabet",
    "list",
    chat=True,
    share=2,
)
