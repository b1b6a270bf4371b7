"""Families whose answer is free text, and those that look back at an earlier turn."""

from __future__ import annotations

import re
from random import Random

from world.family import STYLES, Draft, Family, Values, number, number_text
from world.lexicon import (
    ADJECTIVES,
    CITIES,
    DAYS,
    DOES,
    EVENTS,
    FRIENDS,
    KIND_OF,
    KINDS,
    NAMES,
    OBJECTS,
    PLACES,
    RHYME_OF,
    RHYMES,
    SINGULAR,
    TOPICS,
    article,
)
from world.lists import named, ordered_score
from world.wording import fill, mentions, pick, words

HEROES = KINDS["animals"] + KINDS["jobs"]


def _draw_story(rng: Random) -> Values:
    return {
        "adj": rng.choice(ADJECTIVES),
        "hero": rng.choice(HEROES),
        "object": rng.choice(OBJECTS),
        "place": rng.choice(PLACES),
    }


def _solve_story(rng: Random, v: Values, flawed: bool) -> Draft:
    made = {"adj": rng.choice(ADJECTIVES), "object": rng.choice(OBJECTS), "place": rng.choice(PLACES), **v}
    if flawed:
        made.update({k: x for k, x in _draw_story(rng).items() if rng.random() < 0.6})
    made["friend"], made["thing"] = rng.choice(FRIENDS), rng.choice(OBJECTS)
    lines = [
        pick(
            rng,
            "once there was a {adj} {hero} near the {place}",
            "a {adj} {hero} lived close to the {place}",
            "there was a {adj} {hero} who loved the {place}",
        ),
        pick(
            rng,
            "one day the {hero} found a {object}",
            "one morning it saw a {object} on the road",
            "in the evening the {hero} lost a {object}",
            "every day it looked for a {object}",
        ),
        pick(
            rng,
            "it took the {object} to a {friend}",
            "a {friend} came and helped",
            "it hid the {object} behind a {thing}",
            "the {friend} was surprised",
        ),
        pick(
            rng,
            "in the end everyone was happy",
            "they became good friends",
            "the {hero} went home and slept well",
            "from that day the {hero} was never alone",
        ),
    ]
    keep = rng.choice((1, 2)) if flawed and rng.random() < 0.6 else rng.choice((3, 4, 4))
    return Draft(body=[fill(line, made) for line in (lines if keep == 4 else lines[:keep])])


def _check_story(v: Values, answer: str) -> float:
    asked = [k for k in ("adj", "hero", "object", "place") if k in v]
    kept = sum(mentions(answer, v[k]) for k in asked) / len(asked)
    long = min(1.0, len(re.findall(r"[.!?]", answer)) / 3)
    return kept * (0.4 + 0.6 * long)


STORY = Family(
    "story",
    (
        "Write a short story about a {adj} {hero}.",
        "Tell me a story about a {adj} {hero} who finds a {object}.",
        "Write a story about a {adj} {hero} near a {place}.",
        "Can you tell me a story about a {adj} {hero}?",
        "I want a bedtime story with a {adj} {hero} and a {object}.",
    ),
    _draw_story,
    _solve_story,
    _check_story,
    lambda v: [f"choose the {v['hero']}", "give it a problem", "end it well"],
    lambda v: f"the {v['hero']}",
    "story",
)


def _solve_define(rng: Random, v: Values, flawed: bool) -> Draft:
    noun = v["noun"].split()[1]
    does = DOES[rng.choice(sorted(DOES))] if flawed else DOES.get(noun, "is useful")
    kind = SINGULAR[KIND_OF[noun] if not flawed or rng.random() < 0.5 else rng.choice(sorted(KINDS))]
    kind = "person" if kind == "job" else kind
    what = f"{'one' if rng.random() < 0.1 else v['noun']} is {article(kind)} that {does}"
    return Draft(
        body=[pick(rng, what, f"{v['noun']} {does}. It is {article(kind)}", what, f"it is {article(kind)} that {does}")]
    )


def _check_define(v: Values, answer: str) -> float:
    noun = v["noun"].split()[1]
    if noun not in DOES:
        return 0.0
    want = set(words(DOES[noun])) - {"the", "a", "in", "on", "and", "of", "is", "for"}
    kind = "person" if KIND_OF[noun] == "jobs" else SINGULAR[KIND_OF[noun]]
    return 0.7 * len(want & set(words(answer))) / len(want) + 0.3 * mentions(answer, kind)


DEFINE = Family(
    "definition",
    (
        "What is {noun}?",
        "Explain what {noun} is.",
        "Tell me in simple words what {noun} is.",
        "My child asks what {noun} is. What can I say?",
        "Describe {noun}.",
    ),
    lambda r: {"noun": article(r.choice(sorted(DOES)))},
    _solve_define,
    _check_define,
    lambda v: [f"think of {v['noun']}", "say what it does"],
    lambda v: v["noun"],
    "prose",
)


def _draw_note(rng: Random) -> Values:
    return {
        "name": rng.choice(NAMES),
        "object": rng.choice(OBJECTS),
        "event": rng.choice(EVENTS),
        "day": rng.choice(DAYS),
    }


def _solve_note(rng: Random, v: Values, flawed: bool) -> Draft:
    made = {**v, **{k: x for k, x in _draw_note(rng).items() if flawed and rng.random() < 0.6}}
    hello = pick(rng, "Dear {name},", "Hello {name},", "Hi {name},")
    thanks = pick(
        rng, "thank you for the {object}", "thank you so much for the {object}", "many thanks for the {object}"
    )
    invite = pick(rng, "please come to my {event} on {day}", "you are invited to a {event} on {day}")
    more = (
        ["I use it every day", "it was very kind of you", "I think of you often"]
        if "object" in v
        else ["it will be fun", "bring a friend", "there will be music and cake"]
    )
    first = fill(f"{hello} {thanks if 'object' in v else invite}", made)
    return Draft(
        body=[first, *rng.sample(more, rng.randint(0, 2) if not flawed else 0)],
        closer=pick(rng, "See you soon", "Best wishes", "With love", "") if not flawed else "",
    )


def _check_note(v: Values, answer: str) -> float:
    asked = [k for k in ("name", "object", "event", "day") if k in v]
    kept = sum(mentions(answer, v[k]) for k in asked) / len(asked)
    return kept * (1.0 if re.search(r"thank|come|invited", answer.lower()) else 0.4)


NOTE = Family(
    "notes",
    (
        "Write a short thank you note to {name} for the {object}.",
        "Thank {name} for the {object} in a short letter.",
        "Invite {name} to a {event} on {day}.",
        "Write a message that invites {name} to a {event} on {day}.",
        "I got a {object} from {name}. Help me to say thank you.",
    ),
    _draw_note,
    _solve_note,
    _check_note,
    lambda v: [f"greet {v['name']}", "say why you write"],
    lambda v: "a kind note",
    "prose",
)


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
        "work": ("{name} works as a {job}", "{name} is a {job}", "a {job}"),
        "home": ("{name} lives in {city}", "in {city}", "it is {city}"),
        "thing": ("{name} has a {object}", "it is a {object}", "a {object}"),
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
    kind, n = rng.choice(sorted(KINDS)), rng.randint(3, 5)
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
)

FAMILIES = (
    STORY,
    DEFINE,
    NOTE,
    TOPIC,
    RHYME,
    _reading("home"),
    _reading("work"),
    _reading("thing"),
    RECALL,
    MORE,
    RESORT,
)
