"""Families whose answer is free text: stories, definitions, notes."""

from __future__ import annotations

import re
from random import Random

from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lexicon import DOES, KIND_OF, KINDS, NAMES, SINGULAR, article
from recipes.factory.world.lore import ADJECTIVES, DAYS, EVENTS, FRIENDS, OBJECTS, PLACES
from recipes.factory.world.wording import fill, mentions, pick, words

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
    share=2,
)
