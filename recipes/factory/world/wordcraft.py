"""Families that turn a sentence into another or judge it: tense, politeness, opinions."""

from __future__ import annotations

from random import Random

from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lexicon import KINDS, NAMES
from recipes.factory.world.lore import BAD_REVIEWS, DAYS, EVENTS, GOOD_REVIEWS, OBJECTS, PLACES, REQUESTS, VERBS
from recipes.factory.world.wording import fill, mentions, pick, sentence, words


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
