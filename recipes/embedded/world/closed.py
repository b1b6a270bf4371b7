"""Families with one right answer: arithmetic, comparisons, opposites, capitals, sequences, tense, opinions."""

from __future__ import annotations

import re
from random import Random

from world.family import Draft, Family, Values, number, number_text
from world.lexicon import (
    BAD_REVIEWS,
    BY_SIZE,
    CAPITALS,
    DAYS,
    EVENTS,
    GOOD_REVIEWS,
    KINDS,
    NAMES,
    OBJECTS,
    OPPOSITES,
    PLACES,
    REQUESTS,
    SAME,
    VERBS,
    article,
    plural,
)
from world.wording import fill, mentions, pick, sentence, words


def claimed(answer: str) -> int | None:
    """The number that an answer gives as its result: after the last claim word, else its last number."""
    claims = re.findall(
        r"(?:answer is|answer:|makes|result is|has|it is|gives|left with) (\d+)\b(?! [+-])", answer.lower()
    )
    numbers = claims or re.findall(r"= (\d+)", answer) or re.findall(r"\d+", answer)
    return int(numbers[-1]) if numbers else None


def near(want: int, answer: str) -> float:
    got = claimed(answer)
    return 0.0 if got is None else 1.0 if got == want else 0.3 if abs(got - want) in (1, 10) else 0.1


def _result(v: Values) -> int:
    x, y = int(v["x"]), int(v["y"])
    return x + y if v["op"] == "+" else x - y


def _draw_sum(rng: Random) -> Values:
    op = pick(rng, "+", "-")
    x, y = sorted((rng.randint(2, 60), rng.randint(2, 39)), reverse=True)
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
)


def _draw_problem(rng: Random) -> Values:
    x, y = rng.randint(5, 40), rng.randint(2, 20)
    x = max(x, y + 1)
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
)


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
    return 0.5 if right and wrong else 1.0 if right else 0.0


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


def _draw_sequence(rng: Random) -> Values:
    start, step = rng.randint(1, 20), rng.randint(1, 10)
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
    return sum(a == b for a, b in zip(tail, made[1], strict=False)) / len(made[1])


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
)


def _draw_tense(rng: Random) -> Values:
    now, _, rest = rng.choice(VERBS)
    rest = fill(rest, {"place": rng.choice(PLACES), "object": rng.choice(OBJECTS)})
    who = pick(rng, rng.choice(NAMES), f"The {rng.choice(KINDS['animals'])}", f"The {rng.choice(KINDS['jobs'])}")
    return {"text": f"{who} {now} {rest}"}


def _past(v: Values) -> str:
    table = {now: past for now, past, _ in VERBS}
    return " ".join(table.get(w, w) for w in v["text"].split())


def _solve_tense(rng: Random, v: Values, flawed: bool) -> Draft:
    made = _past(v)
    if flawed:
        made = pick(rng, v["text"], made.rsplit(" ", 2)[0], made.replace("The ", "A ", 1).replace(" the ", " a "))
    return Draft(body=[made], opener=pick(rng, "", "", "", "In the past tense:", "Here is the sentence:", "Yesterday:"))


def _check_tense(v: Values, answer: str) -> float:
    made = _past(v)
    if made.lower() in answer.lower() and made != v["text"]:
        return 1.0
    return 0.4 * len(set(words(made)) & set(words(answer))) / len(set(words(made)))


TENSE = Family(
    "past tense",
    (
        "Rewrite this sentence in the past tense: {text}.",
        "Change to the past tense: {text}.",
        "Say this as if it happened yesterday: {text}.",
    ),
    _draw_tense,
    _solve_tense,
    _check_tense,
    lambda v: ["find the verb", "change it to the past"],
    lambda v: "grammar",
)


def _draw_request(rng: Random) -> Values:
    values = {
        "object": rng.choice(OBJECTS),
        "place": rng.choice(PLACES),
        "day": rng.choice(DAYS),
        "name": rng.choice(NAMES),
    }
    return {"request": sentence(fill(rng.choice(REQUESTS), values))[:-1]}


def _solve_polite(rng: Random, v: Values, flawed: bool) -> Draft:
    low = v["request"][0].lower() + v["request"][1:]
    if flawed:
        return Draft(body=[pick(rng, v["request"], f"{low} now", f"could you please {' '.join(low.split()[:2])}")])
    return Draft(
        body=[
            pick(
                rng,
                f"could you please {low}?",
                f"would you please {low}?",
                f"please {low}, if you can",
                f"would you be so kind to {low}?",
                f"may I ask you to {low}, please?",
            )
        ]
    )


def _check_polite(v: Values, answer: str) -> float:
    kept = len(set(words(v["request"])) & set(words(answer))) / len(set(words(v["request"])))
    kind = any(mentions(answer, w) for w in ("please", "kind", "would", "could"))
    return kept * (1.0 if kind else 0.3)


POLITE = Family(
    "politeness",
    (
        "Make this request more polite: {request}.",
        "Say this in a kinder way: {request}.",
        "Rewrite this politely: {request}.",
    ),
    _draw_request,
    _solve_polite,
    _check_polite,
    lambda v: ["keep the request", "add a kind word"],
    lambda v: "kind words",
)


def _draw_review(rng: Random) -> Values:
    values = {"object": rng.choice(OBJECTS), "place": rng.choice(PLACES), "event": rng.choice(EVENTS)}
    return {"text": fill(rng.choice(GOOD_REVIEWS + BAD_REVIEWS), values)}


def _mood(v: Values) -> str:
    good = any(mentions(v["text"], w) for w in ("love", "well", "great", "wonderful", "best", "delicious"))
    return "positive" if good else "negative"


def _solve_review(rng: Random, v: Values, flawed: bool) -> Draft:
    mood = _mood(v)
    if flawed:
        mood = "negative" if mood == "positive" else "positive"
    feels = "happy" if mood == "positive" else "unhappy"
    return Draft(
        body=[
            pick(
                rng,
                f"this review is {mood}",
                f"it is {mood}",
                mood,
                f"it is {mood}, because the writer is {feels}",
                f"the writer sounds {feels}, so it is {mood}",
            )
        ]
    )


def _check_review(v: Values, answer: str) -> float:
    said = {m for m in ("positive", "negative") if mentions(answer, m)}
    return 1.0 if said == {_mood(v)} else 0.3 if len(said) == 2 else 0.0


REVIEW = Family(
    "review",
    (
        "Is this review positive or negative: {text}?",
        "Decide if the review is positive or negative: {text}.",
        "A customer wrote: {text}. Is that positive or negative?",
    ),
    _draw_review,
    _solve_review,
    _check_review,
    lambda v: ["look for strong words", "decide how the writer feels"],
    lambda v: "reviews",
)

FAMILIES = (SUM, PROBLEM, COMPARE, OPPOSITE, SYNONYM, CAPITAL, SEQUENCE, TENSE, POLITE, REVIEW)
