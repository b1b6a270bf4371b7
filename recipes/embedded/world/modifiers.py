"""Sentences that make an instruction harder: what the four in-depth strategies add, how answers obey, how that is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from world.family import Draft, Family, Values, number
from world.lexicon import CITIES, KINDS, NAMES, OBJECTS, PLACES
from world.wording import fill, find, mentions, pick, sentence, words

ALL = frozenset({"list", "story", "prose", "closed"})
Apply = Callable[[Random, Draft, Values, Family, Values], None]


@dataclass(frozen=True)
class Modifier:
    """`apply` shapes the draft, `finish` the finished text; `check(m, answer)` tells in [0, 1] whether the answer obeys."""

    name: str
    strategy: str
    wordings: tuple[str, ...]
    check: Callable[[Values, str], float]
    draw: Callable[[Random], Values] = lambda rng: {}
    apply: Apply = lambda rng, draft, m, family, v: None
    finish: Callable[[Values, str], str] = lambda m, text: text
    shapes: frozenset[str] = ALL
    prefix: bool = False  # stands before the instruction


def sentences(answer: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+|\n", answer) if s.strip()]


def _bare(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.opener = draft.closer = ""
    draft.style = "comma" if draft.style == "numbered" else draft.style


def _shorten(m: Values, text: str) -> str:
    limit, kept = number(m["n"]), list(sentences(text))
    while len(kept) > 1 and len(words(" ".join(kept))) > limit and "\n" not in text:
        kept.pop()
    return text if "\n" in text else " ".join(kept)


def _style(name: str) -> Apply:
    def apply(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
        draft.style = name
        if not draft.items:
            draft.items, draft.body = [re.sub(r"^(first|then|after that|finally), ", "", s) for s in draft.body], []

    return apply


def _lines(answer: str, mark: str) -> float:
    rows = [line for line in answer.split("\n") if line.strip()]
    return min(1.0, sum(bool(re.match(mark, r)) for r in rows) / max(2, len(rows) - 1))


def _open(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.lead, draft.opener = m["phrase"], ""


def _put(field: str, *choices: str) -> Apply:
    """Append one of `choices` (slots: the modifier's values and `topic`) to the list `field` of the draft."""

    def apply(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
        getattr(draft, field).append(fill(rng.choice(choices), {**m, "topic": family.topic(v)}))

    return apply


def _end(rng: Random, draft: Draft, m: Values, family: Family, v: Values) -> None:
    draft.closer = ""


def _has(*patterns: str) -> Callable[[Values, str], float]:
    """Share of `patterns` (regular expressions, slots filled from the modifier) that the answer contains."""

    def check(m: Values, answer: str) -> float:
        return sum(
            bool(re.search(re.sub(r"\{(\w+)\}", lambda s: m[s.group(1)], p), answer, re.I)) for p in patterns
        ) / len(patterns)

    return check


def _starts(m: Values, answer: str) -> float:
    return float(answer.lower().startswith(m["phrase"].lower()))


def _ends(m: Values, answer: str) -> float:
    return 1.0 if answer.lower().rstrip(".!").endswith(m["phrase"].lower()) else 0.4 * mentions(answer, m["phrase"])


def _within(m: Values, answer: str) -> float:
    over = len(words(answer)) - number(m["n"])
    return 1.0 if over <= 0 else max(0.0, 0.7 - 0.1 * over)


PHRASES = ["that is all", "good luck", "thank you", "have a nice day", "see you soon", "I hope this helps"]
OPENINGS = ["dear friend", "good question", "as you asked", "well then", "listen to this", "let us see"]
AVOID = ["very", "good", "here", "sure", "also", "nice", "well"]
ASK = KINDS["fruits"] + OBJECTS + PLACES
AUDIENCES = ["a young child", "a new student", "an old farmer", "a busy doctor", "a curious tourist", "a tired parent"]


def _audience(rng: Random) -> Values:
    return {"audience": rng.choice(AUDIENCES), "place": rng.choice(PLACES)}


def _person(rng: Random) -> Values:
    return {"name": rng.choice(NAMES), "job": rng.choice(KINDS["jobs"]), "city": rng.choice(CITIES)}


def _without(m: Values, text: str) -> str:
    return re.sub(rf"\b{m['word']}\b ?,? ?", "", text, flags=re.I).strip() or text


CONSTRAINTS = (
    Modifier(
        "short",
        "constraints",
        (
            "Keep the whole answer under {n} words in total.",
            "Do not use more than {n} words in your answer.",
            "The answer must fit into at most {n} words.",
        ),
        _within,
        lambda r: {"n": str(r.choice((20, 25, 30, 40, 50)))},
        _bare,
        _shorten,
    ),
    Modifier(
        "include",
        "constraints",
        (
            "Make sure that the answer contains the word {word} at least once.",
            "The answer must also include the word {word} somewhere in it.",
        ),
        _has(r"\b{word}\b"),
        lambda r: {"word": r.choice(ASK)},
        _put(
            "after",
            "it reminds me of the {word}",
            "I also think of the {word}",
            "even the {word} can help",
            "the {word} is my extra word",
        ),
    ),
    Modifier(
        "avoid",
        "constraints",
        ("Do not use the word {word} anywhere in your answer.", "Your answer must not contain the word {word} at all."),
        lambda m, a: float(not mentions(a, m["word"])),
        lambda r: {"word": r.choice(AVOID)},
        finish=_without,
    ),
    Modifier(
        "last words",
        "constraints",
        ("Finish your answer with the exact words {phrase}.", "The last words of the answer must be {phrase}."),
        _ends,
        lambda r: {"phrase": r.choice(PHRASES)},
        _end,
        lambda m, t: f"{t}{chr(10) if chr(10) in t else ' '}{sentence(m['phrase'])}",
    ),
    Modifier(
        "first words",
        "constraints",
        ("Begin your answer with the exact words {phrase}.", "The first words of the answer must be {phrase}."),
        _starts,
        lambda r: {"phrase": r.choice(OPENINGS)},
        _open,
    ),
    Modifier(
        "small letters",
        "constraints",
        (
            "Write every word of your answer in small letters only.",
            "Use small letters only and no capital letters at all.",
        ),
        lambda m, a: float(a == a.lower()),
        finish=lambda m, t: t.lower(),
    ),
    Modifier(
        "numbered lines",
        "constraints",
        (
            "Put each item on its own line and number all the lines.",
            "Give the answer as a numbered list with one item per line.",
        ),
        lambda m, a: _lines(a, r"\d+\. "),
        apply=_style("numbered"),
        shapes=frozenset({"list"}),
    ),
    Modifier(
        "stars",
        "constraints",
        (
            "Put each item on its own line with a star in front of it.",
            "Use a new line and a star for every item of the answer.",
        ),
        lambda m, a: _lines(a, r"\* "),
        apply=_style("star"),
        shapes=frozenset({"list"}),
    ),
    Modifier(
        "no commas",
        "constraints",
        ("Do not use any commas in your answer.", "Write the answer without a single comma."),
        lambda m, a: float("," not in a),
        finish=lambda m, t: t.replace(",", ""),
    ),
)

DEEPEN = (
    Modifier(
        "why it matters",
        "deepen",
        (
            "Also explain in one sentence why this matters in daily life.",
            "Then add one reason why it is important to know this.",
        ),
        _has(r"because|matters|important"),
        apply=_put(
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
        _has(r"mistake"),
        apply=_put(
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
        _has(r"\blike", r"dislike|do not like|but"),
        apply=_put(
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
        _has(r"\?"),
        apply=_put(
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
        _has(r"feels|learn", r"because|that"),
        apply=_put(
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
        _has(r"{audience}", r"{place}"),
        _audience,
        _put(
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
        _has(r"{audience}", r"{place}"),
        _audience,
        _put(
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
        _has(r"{name}", r"{job}", r"{city}"),
        _person,
        _put(
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
        _has(r"{name}", r"{city}"),
        lambda r: {"name": r.choice(NAMES), "city": r.choice(CITIES)},
        _put(
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
        _has(r"Step 1", r"Step 2"),
        apply=_steps,
    ),
    Modifier(
        "first then",
        "reasoning",
        (
            "First explain what you will do, then do it.",
            "Explain first how you get there and only then give the result.",
        ),
        _has(r"\bfirst\b", r"\bthen\b"),
        apply=_first_then,
    ),
    Modifier(
        "check",
        "reasoning",
        (
            "At the end check your answer and say if it is right.",
            "Go over the answer once more and tell me that you checked it.",
        ),
        _has(r"\bcheck"),
        apply=_check_it,
    ),
    Modifier(
        "confidence",
        "reasoning",
        ("Also say how sure you are and give one reason for that.", "Add how certain you are about it and why."),
        _has(r"\bsure\b|certain", r"because|since"),
        apply=_put(
            "after",
            "I am quite sure because I know {topic} well",
            "I am certain because there is no other answer",
            "I am fairly sure, since it follows from the question",
            "I am not fully sure because {topic} can be hard",
        ),
    ),
)

MODIFIERS = (*CONSTRAINTS, *DEEPEN, *CONCRETIZE, *REASONING)
STRATEGIES = ("constraints", "deepen", "concretize", "reasoning")


def read_modifiers(text: str) -> tuple[list[tuple[Modifier, Values]], str]:
    """The modifiers that stand in `text`, with their values, and what is left of the text without them."""
    found = []
    for modifier in MODIFIERS:
        for wording in modifier.wordings:
            hit = find(wording, text)
            if hit:
                found.append((modifier, hit.groupdict()))
                text = (text[: hit.start()] + text[hit.end() :]).replace("  ", " ").strip()
    return found, text
