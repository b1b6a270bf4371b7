"""What the strategies "deepen", "concretize" and "reasoning" add."""

from __future__ import annotations

from random import Random

from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lexicon import CITIES, NAMES
from recipes.factory.world.modifier import Modifier, draw_audience, draw_person, has, put
from recipes.factory.world.wording import pick

DEEPEN = (
    Modifier(
        "why it matters",
        "deepen",
        (
            "Also explain in one sentence why this matters in daily life.",
            "Then add one reason why it is important to know this.",
        ),
        has(r"because|matters|important"),
        apply=put(
            "after",
            "it matters because {topic} can help us every day",
            "this is important because we often need it at home",
            "it matters because {topic} can be part of any day",
            "this is important because it helps us to decide",
        ),
    ),
    Modifier(
        "a mistake",
        "deepen",
        (
            "Also mention one common mistake that people make with this.",
            "Then warn the reader about one typical mistake.",
        ),
        has(r"mistake"),
        apply=put(
            "after",
            "a common mistake is to be too fast",
            "a typical mistake is to forget about {topic}",
            "many people make the mistake of guessing",
            "one mistake is to skip a part",
        ),
    ),
    Modifier(
        "liked",
        "deepen",
        (
            "Also say what people like about it and what they do not like.",
            "Then describe one thing to like and one thing to dislike here.",
        ),
        has(r"\blike", r"dislike|do not like|but"),
        apply=put(
            "after",
            "people like {topic}, but some do not like it",
            "some like that it is simple, but others dislike it",
            "I like {topic}, but I dislike long lists",
        ),
    ),
    Modifier(
        "a question",
        "deepen",
        (
            "Also add one deeper question about it that the reader can think about.",
            "Then ask the reader one question that goes further.",
        ),
        has(r"\?"),
        apply=put(
            "after",
            "what else do you know about {topic}?",
            "can you find another answer?",
            "why do you think it is so?",
            "how would you use {topic}?",
        ),
    ),
    Modifier(
        "feelings",
        "deepen",
        (
            "Also tell how it feels at the end of the story and why.",
            "Then explain what the reader can learn from the story.",
        ),
        has(r"feels|learn", r"because|that"),
        apply=put(
            "after",
            "at the end it feels proud because it was brave",
            "we learn that kind friends help",
            "it feels happy because it is not alone",
            "we can learn that small steps count",
        ),
        shapes=frozenset({"story"}),
    ),
)


CONCRETIZE = (
    Modifier(
        "audience",
        "concretize",
        ("Write the answer for {audience} who visits a {place}.", "The reader is {audience} who waits at a {place}."),
        has(r"{audience}", r"{place}"),
        draw_audience,
        put(
            "after",
            "this is for {audience} at the {place}",
            "I wrote it for {audience} who is at the {place}",
            "at the {place}, {audience} can use this",
        ),
    ),
    Modifier(
        "setting",
        "concretize",
        (
            "Imagine that you talk to {audience} at the {place}.",
            "Suppose that {audience} asks you this near the {place}.",
        ),
        has(r"{audience}", r"{place}"),
        draw_audience,
        put(
            "before",
            "for {audience} at the {place}:",
            "I tell {audience} near the {place}:",
            "to {audience} at the {place}:",
        ),
        prefix=True,
    ),
    Modifier(
        "person",
        "concretize",
        (
            "Use the example of {name}, who works as a {job} in {city}.",
            "Apply it to the case of {name}, a {job} from {city}.",
        ),
        has(r"{name}", r"{job}", r"{city}"),
        draw_person,
        put(
            "after",
            "for example, {name}, a {job} in {city}, would say the same",
            "take {name}: this {job} from {city} needs it",
            "{name}, a {job} from {city}, can use it at work",
        ),
    ),
    Modifier(
        "names",
        "concretize",
        (
            "The hero is called {name} and comes from {city}.",
            "It takes place in {city} and the hero has the name {name}.",
        ),
        has(r"{name}", r"{city}"),
        lambda r: {"name": r.choice(NAMES), "city": r.choice(CITIES)},
        put(
            "before",
            "this is the story of {name} from {city}",
            "in {city} everyone knew {name}",
            "the hero {name} lived in {city}",
        ),
        shapes=frozenset({"story"}),
    ),
)


def _steps(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.before.extend(f"Step {i}: {s}." for i, s in enumerate(family.plan(v), 1))
    draft.opener = ""
    if not draft.items:
        draft.before.append("Answer:")


def _first_then(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    plan = family.plan(v)
    draft.before.append(f"First, I {_as_verb(plan[0])}")
    draft.before.append(f"Then I {_as_verb(plan[-1])}")


def _as_verb(step: str) -> str:
    return step if step.split()[0].islower() and step.split()[0] in VERBS_OF_PLANS else f"see that {step}"


VERBS_OF_PLANS = frozenset(
    "think pick look put read keep get do say find change add decide compare choose give end greet write use".split()
)


def _check_it(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.after.append(
        pick(
            rng,
            "I checked it again and it is right",
            f"check: I went over {family.topic(v)} again and it is right",
            "I checked every part and found no error",
            "check: it fits the question, so it is right",
        )
    )


REASONING = (
    Modifier(
        "steps",
        "reasoning",
        (
            "Show your work in numbered steps before you give the final answer.",
            "Write down each step of your thinking, then answer.",
        ),
        has(r"Step 1", r"Step 2"),
        apply=_steps,
    ),
    Modifier(
        "first then",
        "reasoning",
        (
            "First explain what you will do, then do it.",
            "Explain first how you get there and only then give the result.",
        ),
        has(r"\bfirst\b", r"\bthen\b"),
        apply=_first_then,
    ),
    Modifier(
        "check",
        "reasoning",
        (
            "At the end check your answer and say if it is right.",
            "Go over the answer once more and tell me that you checked it.",
        ),
        has(r"\bcheck"),
        apply=_check_it,
    ),
    Modifier(
        "confidence",
        "reasoning",
        ("Also say how sure you are and give one reason for that.", "Add how certain you are about it and why."),
        has(r"\bsure\b|certain", r"because|since"),
        apply=put(
            "after",
            "I am quite sure because I know {topic} well",
            "I am certain because there is no other answer",
            "I am fairly sure, since it follows from the question",
            "I am not fully sure because {topic} can be hard",
        ),
    ),
)
