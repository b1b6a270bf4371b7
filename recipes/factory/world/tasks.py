"""Families that work on what is given: counting, the odd one out, chores, formats."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import Draft, Family, Values, number, number_text
from recipes.factory.world.lexicon import CITIES, KIND_OF, KINDS, NAMES
from recipes.factory.world.lore import CHORES
from recipes.factory.world.wording import mentions, pick, words


def _draw_count(rng: Random) -> Values:
    kind = rng.choice(sorted(KINDS))
    others = [i for i in KIND_OF if KIND_OF[i] != kind]
    items = rng.sample(KINDS[kind], rng.randint(1, 3)) + rng.sample(others, rng.randint(1, 2))
    rng.shuffle(items)
    return {"kind": kind, "items": ", ".join(items)}


def _counted(v: Values) -> list[str]:
    return [i for i in v["items"].split(", ") if KIND_OF.get(i) == v["kind"]]


def _solve_count(rng: Random, v: Values, flawed: bool) -> Draft:
    found = _counted(v)
    n = max(0, len(found) + (rng.choice((-1, 1, 2)) if flawed else 0))
    shown, said = ", ".join(found) or "none of them", number_text(rng, n)
    verb = "is" if n == 1 else "are"
    return Draft(
        body=[
            rng.choice(
                [
                    f"there {verb} {said} {v['kind']}: {shown}",
                    f"I count {said} {v['kind']}: {shown}",
                    f"the answer is {said}",
                    f"{said} of these {verb} {v['kind']}: {shown}",
                    f"the {v['kind']} are {shown}. That makes {said}",
                ]
            )
        ]
    )


def _check_count(v: Values, answer: str) -> float:
    if v["kind"] not in KINDS:
        return 0.0
    said = [number(w) for w in words(answer) if w.isdigit() or w in ("one", "two", "three", "four", "five", "zero")]
    found = _counted(v)
    shown = {w for w in words(answer) if w in KIND_OF}
    if len(found) not in said:
        return 0.1 if said else 0.0
    return 1.0 if len(set(said)) <= 2 and shown in (set(), set(found)) else 0.5


COUNT = Family(
    "counting",
    (
        "How many {kind} are in this list: {items}?",
        "Count the {kind} in this list: {items}.",
        "How many of these are {kind}: {items}?",
    ),
    _draw_count,
    _solve_count,
    _check_count,
    lambda v: ["read the list", f"keep the {v['kind']}: {', '.join(_counted(v)) or 'none'}"],
    lambda v: v["kind"],
    share=2,
)


def _draw_odd(rng: Random) -> Values:
    kind, other = rng.sample(sorted(KINDS), 2)
    items = rng.sample(KINDS[kind], 3) + [rng.choice(KINDS[other])]
    rng.shuffle(items)
    return {"items": ", ".join(items)}


def _odd(v: Values) -> tuple[str, str]:
    """(the odd one, the kind of the others)."""
    kinds = [KIND_OF.get(i, "") for i in v["items"].split(", ")]
    main = max(set(kinds), key=lambda k: (kinds.count(k), k))
    return next((i for i, k in zip(v["items"].split(", "), kinds, strict=True) if k != main), ""), main


def _solve_odd(rng: Random, v: Values, flawed: bool) -> Draft:
    odd, main = _odd(v)
    if flawed:
        odd = rng.choice([i for i in v["items"].split(", ") if i != odd])
    why = pick(rng, f", because the others are {main}", f", since it is not one of the {main}", "")
    return Draft(
        body=[
            pick(
                rng,
                f"{odd} does not belong{why}",
                f"the odd one out is {odd}{why}",
                f"{odd} is different{why}",
                f"it is {odd}{why}",
            )
        ]
    )


def _check_odd(v: Values, answer: str) -> float:
    odd, main = _odd(v)
    hit = (
        re.search(rf"\b{odd}\b (does not belong|is different)|(out is|it is) {odd}\b", answer.lower()) if odd else None
    )
    return (1.0 if mentions(answer, main) else 0.85) if hit else 0.0


ODD_ONE = Family(
    "odd one out",
    (
        "Which word does not belong: {items}?",
        "Find the odd one out: {items}.",
        "One of these words is different, which one: {items}?",
    ),
    _draw_odd,
    _solve_odd,
    _check_odd,
    lambda v: [f"most of the words are {_odd(v)[1]}", f"{_odd(v)[0] or 'none'} is not"],
    lambda v: _odd(v)[1] or "words",
    share=2,
)


def _solve_chore(rng: Random, v: Values, flawed: bool) -> Draft:
    steps = list(CHORES[v["task"]])
    if flawed:
        other = rng.choice(CHORES[rng.choice(sorted(CHORES))])
        steps = rng.choice([steps[:1], steps[:2], steps[::-1], [steps[0], other], steps[:2] + steps[:2]])
    opener = pick(rng, "", "", f"To {v['task']}, follow these steps:", "Here is how:", "Do this:")
    if rng.random() < 0.4:
        lead = ["first", "then", "after that", "finally"]
        return Draft(body=[f"{w}, {s}" for w, s in zip(lead, steps, strict=False)], opener=opener)
    return Draft(items=steps, style=pick(rng, "numbered", "numbered", "star", "lines", "comma"), opener=opener)


def _check_chore(v: Values, answer: str) -> float:
    steps = CHORES.get(v["task"])
    if steps is None:
        return 0.0
    at = [answer.lower().find(s) for s in steps]
    hits = [p for p in at if p >= 0]
    return len(hits) / len(steps) * (1.0 if hits == sorted(hits) else 0.5)


CHORE = Family(
    "how to",
    (
        "How do I {task}?",
        "Tell me how to {task}.",
        "What are the steps to {task}?",
        "Explain how to {task}.",
        "I want to {task}. What should I do?",
    ),
    lambda r: {"task": r.choice(sorted(CHORES))},
    _solve_chore,
    _check_chore,
    lambda v: ["get ready what you need", "do it in the right order"],
    lambda v: f"how to {v['task']}",
    "list",
)


def _draw_format(rng: Random) -> Values:
    return {
        "format": pick(rng, "a JSON object", "lines with colons", "one full sentence"),
        "name": rng.choice(NAMES),
        "n": str(rng.randint(6, 90)),
        "city": rng.choice(CITIES),
    }


def _facts(v: Values) -> dict[str, str]:
    return {
        "a JSON object": f'{{"name": "{v["name"]}", "age": {v["n"]}, "city": "{v["city"]}"}}',
        "lines with colons": f"Name: {v['name']}\nAge: {v['n']}\nCity: {v['city']}",
        "one full sentence": f"{v['name']} is {v['n']} years old and lives in {v['city']}",
    }


def _solve_format(rng: Random, v: Values, flawed: bool) -> Draft:
    wrong = dict(v, n=str(rng.randint(6, 90)), format=rng.choice([v["format"], *_facts(v)]))
    made = wrong if flawed else v
    opener = pick(
        rng,
        "",
        "",
        "Here it is:",
        "Sure:",
        "In the format that you want:",
        "The facts are:",
        "This is it:",
        "As you asked:",
    )
    return Draft(items=_facts(made)[made["format"]].split("\n"), style="lines", opener=opener)


def _check_format(v: Values, answer: str) -> float:
    facts = sum(mentions(answer, v[k]) for k in ("name", "n", "city")) / 3
    want = _facts(v).get(v["format"])
    return 1.0 if want and want.lower() in answer.lower() else 0.5 * facts


FORMAT = Family(
    "format",
    (
        "Write these facts as {format}: name {name}, age {n}, city {city}.",
        "Turn this into {format}: name {name}, age {n}, city {city}.",
        "I need these facts as {format}: name {name}, age {n}, city {city}.",
    ),
    _draw_format,
    _solve_format,
    _check_format,
    lambda v: ["read the three facts", f"write {v['format']}"],
    lambda v: "clear facts",
)
