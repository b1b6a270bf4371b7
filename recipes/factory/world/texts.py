"""Families about points of view, rhymes and short texts to read."""

from __future__ import annotations

from random import Random

from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lexicon import CITIES, KINDS, NAMES
from recipes.factory.world.lore import ADJECTIVES, OBJECTS, RHYME_OF, RHYMES, TOPICS
from recipes.factory.world.prose import HEROES
from recipes.factory.world.wording import fill, mentions, pick, words


def _solve_topic(rng: Random, v: Values, flawed: bool) -> Draft:
    good, bad = (rng.choice(side) for side in TOPICS[v["topic"]])
    if flawed:
        good, bad = rng.choice(
            [(good, ""), ("", bad), (bad, good), (good, rng.choice(TOPICS[rng.choice(sorted(TOPICS))][1]))]
        )
    pros = (
        pick(rng, "one advantage is that {}", "a good side is that {}", "on the one hand {}").format(good)
        if good
        else ""
    )
    cons = (
        pick(rng, "one disadvantage is that {}", "a bad side is that {}", "on the other hand {}").format(bad)
        if bad
        else ""
    )
    return Draft(body=[s for s in (pros, cons) if s])


def _check_topic(v: Values, answer: str) -> float:
    if v["topic"] not in TOPICS:
        return 0.0
    low = answer.lower()
    good, bad = ([low.find(s.lower()) for s in side if s.lower() in low] for side in TOPICS[v["topic"]])
    swapped = bool(good and bad) and min(bad) < min(good)
    return 0.5 * (bool(good) + bool(bad)) * (0.5 if swapped else 1.0)


TOPIC = Family(
    "pros and cons",
    (
        "Give one advantage and one disadvantage of {topic}.",
        "What are the good and bad sides of {topic}?",
        "Tell me a good and a bad thing about {topic}.",
        "Is {topic} a good idea? Name one point for each side.",
    ),
    lambda r: {"topic": r.choice(sorted(TOPICS))},
    _solve_topic,
    _check_topic,
    lambda v: ["look for a good side", "look for a bad side"],
    lambda v: v["topic"],
    "prose",
)


def _solve_rhyme(rng: Random, v: Values, flawed: bool) -> Draft:
    group = RHYME_OF.get(v["word"], [v["word"], v["word"]])
    ends = rng.sample(group, 2)
    if flawed:
        ends[1] = rng.choice(rng.choice(RHYMES))
    made = {"adj": rng.choice(ADJECTIVES), "hero": rng.choice(HEROES), "one": ends[0], "two": ends[1]}
    first = pick(
        rng, "I see a {adj} {hero} and a {one}", "the {adj} {hero} dreams of the {one}", "we sing about the {one}"
    )
    second = pick(
        rng, "it makes me think of the {two}", "and all we need is the {two}", "my heart is full of the {two}"
    )
    return Draft(items=[fill(first, made).capitalize(), fill(second, made).capitalize()], style="lines")


def _check_rhyme(v: Values, answer: str) -> float:
    ends = [words(line)[-1] for line in answer.split("\n") if words(line)]
    group = RHYME_OF.get(v["word"], [])
    return min(1.0, len({e for e in ends if e in group}) / 2)


RHYME = Family(
    "rhyme",
    (
        "Write two lines that rhyme with {word}.",
        "Write a poem of two lines with rhymes on {word}.",
        "Make a tiny poem that rhymes with the word {word}.",
    ),
    lambda r: {"word": r.choice(sorted(RHYME_OF))},
    _solve_rhyme,
    _check_rhyme,
    lambda v: [f"find words that rhyme with {v['word']}", "write two lines"],
    lambda v: "poems",
)


def _draw_reading(rng: Random) -> Values:
    return {
        "name": rng.choice(NAMES),
        "city": rng.choice(CITIES),
        "job": rng.choice(KINDS["jobs"]),
        "object": rng.choice(OBJECTS),
    }


def _asked(v: Values) -> str:
    return v["job"] if v["what"] == "work" else v["city"] if v["what"] == "home" else v["object"]


def _solve_reading(rng: Random, v: Values, flawed: bool) -> Draft:
    v = _with_what(v)
    made = {**v, **({k: x for k, x in _draw_reading(rng).items() if k != "name"} if flawed else {})}
    says = {
        "work": ("{name} works as a {job}", "{name} is a {job}", "a {job}", "the job of {name} is {job}"),
        "home": ("{name} lives in {city}", "in {city}", "it is {city}", "{name} is from {city}"),
        "thing": ("{name} has a {object}", "it is a {object}", "a {object}", "{name} owns a {object}"),
    }[v["what"]]
    return Draft(body=[fill(rng.choice(says), made)])


def _with_what(v: Values) -> Values:
    question = v.get("question", "")
    what = "home" if question.startswith("Where") else "work" if "job" in question else "thing"
    return {**v, "what": v.get("what", what)}


READ = "{name} is a {job} from {city} who owns a {object}."
_QUESTIONS = {"home": "Where does {name} live?", "work": "What is the job of {name}?", "thing": "What does {name} own?"}


def _reading(what: str) -> Family:
    def draw(rng: Random) -> Values:
        return {**_draw_reading(rng), "what": what}

    ask = _QUESTIONS[what]
    return Family(
        f"reading {what}",
        (f"{READ} {ask}", f"Read this: {READ} {ask}", f"Here is a text: {READ} Now answer: {ask}"),
        draw,
        lambda r, v, f: _solve_reading(r, {**v, "what": what}, f),
        lambda v, a: float(mentions(a, _asked({**v, "what": what}))),
        lambda v: ["read the text", f"look for {v['name']}"],
        lambda v: v["name"],
    )


READ_HOME, READ_WORK, READ_THING = _reading("home"), _reading("work"), _reading("thing")
