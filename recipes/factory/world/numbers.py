"""Families that calculate: sums, word problems, sequences."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import Draft, Family, Values, number, number_text
from recipes.factory.world.lexicon import KINDS, NAMES, plural
from recipes.factory.world.lore import OBJECTS
from recipes.factory.world.wording import pick


def claimed(answer: str) -> int | None:
    """The number that an answer gives as its result: after the last claim word, else its last number."""
    claims = re.findall(
        r"(?:answer is|answer:|makes|result is|has|it is|gives|left with) (\d+)\b(?! [+-])", answer.lower()
    )
    numbers = claims or re.findall(r"= (\d+)", answer) or re.findall(r"\d+", answer)
    return int(numbers[-1]) if numbers else None


def near(want: int, answer: str) -> float:
    got = claimed(answer)
    return 0.0 if got is None else 1.0 if got == want else 0.1


def _result(v: Values) -> int:
    x, y = int(v["x"]), int(v["y"])
    return x + y if v["op"] == "+" else x - y


def _draw_sum(rng: Random) -> Values:
    op = pick(rng, "+", "-")
    x, y = sorted((rng.randint(2, 30), rng.randint(2, 12)), reverse=True)
    return {"x": str(x), "y": str(y), "op": op, "plus": "plus" if op == "+" else "minus"}


def _read_op(v: Values) -> Values:
    return {**v, "op": v["op"] if "op" in v else "+" if v.get("plus") == "plus" else "-"}


def _sum_plan(v: Values) -> list[str]:
    v = _read_op(v)
    x, y, op = int(v["x"]), int(v["y"]), v["op"]
    tens = x + y // 10 * 10 if op == "+" else x - y // 10 * 10
    if y < 10:
        return [f"take {x}", f"{x} {op} {y} = {_result(v)}"]
    return [f"{x} {op} {y // 10 * 10} = {tens}", f"{tens} {op} {y % 10} = {_result(v)}"]


def _solve_sum(rng: Random, v: Values, flawed: bool) -> Draft:
    v = _read_op(v)
    made = max(0, _result(v) + (rng.choice((-10, -2, -1, 1, 2, 10)) if flawed else 0))
    equation = f"{v['x']} {v['op']} {v['y']} = {made}"
    return Draft(
        body=[
            rng.choice(
                [
                    equation,
                    f"the answer is {made}",
                    f"it is {made}",
                    f"that makes {made}",
                    f"{equation}, so the answer is {made}",
                    f"{v['x']} {v['op']} {v['y']} gives {made}",
                ]
            )
        ]
    )


SUM = Family(
    "arithmetic",
    (
        "What is {x} {plus} {y}?",
        "Calculate {x} {plus} {y}.",
        "How much is {x} {plus} {y}?",
        "Please work out {x} {plus} {y}.",
        "Can you tell me what {x} {plus} {y} is?",
    ),
    _draw_sum,
    _solve_sum,
    lambda v, a: near(_result(_read_op(v)), a),
    _sum_plan,
    lambda v: "arithmetic",
    share=3,
)


def _draw_problem(rng: Random) -> Values:
    x, y = rng.randint(13, 30), rng.randint(2, 12)
    things = [plural(i) for i in KINDS["fruits"]] + [plural(o) for o in OBJECTS]
    return {
        "name": rng.choice(NAMES),
        "x": str(x),
        "y": str(y),
        "things": rng.choice(things),
        "gets": pick(rng, "buys", "finds", "loses", "sells"),
    }


def _op_of(v: Values) -> Values:
    return {**v, "op": "+" if v["gets"] in ("buys", "finds") else "-"}


def _solve_problem(rng: Random, v: Values, flawed: bool) -> Draft:
    v = _op_of(v)
    made = max(0, _result(v) + (rng.choice((-10, -2, -1, 1, 2, 10)) if flawed else 0))
    end = pick(
        rng,
        f"{v['name']} has {made} {v['things']}",
        f"the answer is {made}",
        f"that makes {made} {v['things']}",
        f"now {v['name']} has {made}",
    )
    start = pick(
        rng, "", f"{v['x']} {v['op']} {v['y']} = {made}", f"{v['name']} starts with {v['x']} and {v['gets']} {v['y']}"
    )
    return Draft(body=[s for s in (start, end) if s])


PROBLEM = Family(
    "word problem",
    (
        "{name} has {x} {things} and {gets} {y}. How many {things} does {name} have now?",
        "If {name} has {x} {things} and {gets} {y} of them, how many are there at the end?",
        "{name} had {x} {things}. Then {name} {gets} {y}. What is the number of {things} now?",
    ),
    _draw_problem,
    _solve_problem,
    lambda v, a: near(_result(_op_of(v)), a),
    lambda v: _sum_plan(_op_of(v)),
    lambda v: v["things"],
    share=2,
)


def _draw_sequence(rng: Random) -> Values:
    start, step = rng.randint(1, 20), rng.choice((1, 2, 3, 4, 5, 10))
    return {"items": ", ".join(str(start + step * i) for i in range(4)), "n": number_text(rng, rng.randint(1, 3))}


def _sequence(v: Values) -> tuple[int, list[str]] | None:
    items = v["items"].split(", ")
    if len(items) < 2 or not all(i.isdigit() for i in items):
        return None
    step = int(items[1]) - int(items[0])
    return step, [str(int(items[-1]) + step * (i + 1)) for i in range(number(v["n"]))]


def _solve_sequence(rng: Random, v: Values, flawed: bool) -> Draft:
    step, made = _sequence(v) or (0, [])
    shown = ", ".join(str(int(m) + (rng.choice((1, -1, 2)) if flawed else 0)) for m in made)
    return Draft(
        body=[
            rng.choice(
                [
                    f"next: {shown}",
                    f"it goes on with {shown}",
                    shown,
                    f"the rule is plus {step}. Next: {shown}",
                    f"{v['items']}, {shown}",
                ]
            )
        ]
    )


def _check_sequence(v: Values, answer: str) -> float:
    made = _sequence(v)
    if made is None:
        return 0.0
    tail = re.findall(r"\d+", answer)[-len(made[1]) :]
    right = sum(a == b for a, b in zip(tail, made[1], strict=False))
    return 1.0 if right == len(made[1]) else 0.4 if right else 0.0


SEQUENCE = Family(
    "sequence",
    (
        "Continue the sequence {items} with the next {n}.",
        "Write the next {n} after {items}.",
        "The sequence is {items}. What are the next {n}?",
    ),
    _draw_sequence,
    _solve_sequence,
    _check_sequence,
    lambda v: [f"the step is {(_sequence(v) or (0, []))[0]}", "add it to the last number"],
    lambda v: "numbers",
    share=3,
)
