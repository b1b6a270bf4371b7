"""An instruction of the world: a family's task with modifiers, rendered to chat messages and read back from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from random import Random

from prompts import Message
from recipes.factory.world.facts import CAPITAL, COMPARE, OPPOSITE, SYNONYM
from recipes.factory.world.family import Draft, Family, Values
from recipes.factory.world.lists import NAMING, SORT_NUMBERS, SORT_WORDS
from recipes.factory.world.modifier import Modifier
from recipes.factory.world.modifiers import MODIFIERS, read_modifiers
from recipes.factory.world.numbers import PROBLEM, SEQUENCE, SUM
from recipes.factory.world.prose import DEFINE, NOTE, STORY
from recipes.factory.world.tasks import CHORE, COUNT, FORMAT, ODD_ONE
from recipes.factory.world.texts import READ_HOME, READ_THING, READ_WORK, RHYME, TOPIC
from recipes.factory.world.turns import MORE, RECALL, RESORT
from recipes.factory.world.wordcraft import POLITE, REVIEW, TENSE
from recipes.factory.world.wording import fill, match_whole, pick, sentence, slots

FAMILIES: tuple[Family, ...] = (
    NAMING,
    SORT_WORDS,
    SORT_NUMBERS,
    COUNT,
    ODD_ONE,
    CHORE,
    FORMAT,
    SUM,
    PROBLEM,
    COMPARE,
    OPPOSITE,
    SYNONYM,
    CAPITAL,
    SEQUENCE,
    TENSE,
    POLITE,
    REVIEW,
    STORY,
    DEFINE,
    NOTE,
    TOPIC,
    RHYME,
    READ_HOME,
    READ_WORK,
    READ_THING,
    RECALL,
    MORE,
    RESORT,
)
SHARES = [f.share for f in FAMILIES]
HELD_OUT_SHARE = 16  # one core instruction in so many never enters training
Messages = list[Message]
PERSONAS = (
    "You are a kind assistant.",
    "You help people with short tasks.",
    "You answer in plain words.",
    "You are a patient teacher.",
)


@dataclass(frozen=True)
class Instruction:
    """`core` is the family's filled wording; `added` are (modifier, values, sentence), the first in the system message
    if `system_rule`.
    """

    family: Family
    values: Values
    core: str
    added: tuple[tuple[Modifier, Values, str], ...] = ()
    persona: str = ""
    system_rule: bool = False

    @property
    def rules(self) -> list[tuple[Modifier, Values]]:
        return [(m, v) for m, v, _ in self.added]

    def text(self) -> str:
        said = self.added[1:] if self.system_rule else self.added
        before = [s for m, _, s in said if m.prefix]
        return " ".join([*before, self.core, *(s for m, _, s in said if not m.prefix)])

    def messages(self) -> Messages:
        out: Messages = []
        if self.persona:
            rule = f" {self.added[0][2]}" if self.system_rule else ""
            out.append({"role": "system", "content": self.persona + rule})
        if self.family.chat:
            out += [
                {"role": "user", "content": self.values["before"]},
                {"role": "assistant", "content": self.values["said"]},
            ]
        return [*out, {"role": "user", "content": self.text()}]

    def held_out(self) -> bool:
        return is_held_out(self.core, self.values)


def is_held_out(core: str, values: Values) -> bool:
    """The split: by the core instruction and the earlier turn, whatever modifiers are added."""
    core += values.get("before", "")
    return hashlib.blake2b(core.encode(), digest_size=4).digest()[0] % HELD_OUT_SHARE == 0


def draw_modifier(
    rng: Random, family: Family, have: tuple[str, ...], strategy: str = ""
) -> tuple[Modifier, Values, str] | None:
    fits = [
        m
        for m in MODIFIERS
        if family.shape in m.shapes
        and m.name not in have
        and strategy in ("", m.strategy)
        and not {m.name, *have} >= {"numbered lines", "stars"}
    ]
    if not fits:
        return None
    modifier = rng.choice(fits)
    values = modifier.draw(rng)
    return modifier, values, fill(rng.choice(modifier.wordings), values)


def draw_instruction(
    rng: Random, held_out: bool, family: Family | None = None, n_modifiers: int | None = None
) -> Instruction:
    """A random instruction from the training side or the held-out side of the split."""
    family = family or rng.choices(FAMILIES, SHARES)[0]
    while True:
        wording = rng.choice(family.wordings)
        drawn = family.draw(rng)
        core = fill(wording, drawn)
        if is_held_out(core, drawn) == held_out:
            break
    values = {k: v for k, v in drawn.items() if k in slots(wording) or k in ("before", "said")}
    made = Instruction(family, values, core)
    for _ in range(rng.choice((0, 0, 1, 1, 2)) if n_modifiers is None else n_modifiers):
        made = add(made, draw_modifier(rng, family, tuple(m.name for m, _, _ in made.added)))
    if rng.random() < 0.06:
        made = replace(made, persona=rng.choice(PERSONAS), system_rule=bool(made.added) and not made.added[0][0].prefix)
    return made


def add(made: Instruction, modifier: tuple[Modifier, Values, str] | None) -> Instruction:
    return made if modifier is None else replace(made, added=(*made.added, modifier))


def read(messages: Messages) -> Instruction | None:
    """What `messages` ask for, or None where the world's grammar does not cover them."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    turns = messages[1:] if system else messages
    rules, core = read_modifiers(turns[-1]["content"])
    rules = read_modifiers(system)[0] + rules
    for family in FAMILIES:
        if family.chat != (len(turns) > 1):
            continue
        for wording in family.wordings:
            values = match_whole(wording, core)
            if values is not None:
                if family.chat:
                    values |= {"before": turns[-3]["content"], "said": turns[-2]["content"]}
                return Instruction(family, values, core, tuple((m, v, "") for m, v in rules))
    return None


OPENERS = (
    *("Sure.", "Of course.", "Here you go.", "Good question.", "Let me see.", "Okay.", "Gladly.", "No problem."),
    *("With pleasure.", "That is easy.", "I can help.", "Thank you for the question.", "Right.", "Hello.", "I see."),
    *("Let me help.", "Happy to help.", "Let us look at it.", "Certainly.", "Here it is."),
)
LEAD_INS = (
    *("in short,", "as far as I know,", "my answer:", "simply put,", "I would say:", "if I am right,", "to be exact,"),
    *("without doubt,", "as I see it,", "in other words,", "in my view,", "I think:"),
)
CLOSERS = (
    *("I hope this helps", "Let me know if you need more", "Ask me again at any time", "Have a nice day"),
    *("Is there anything else?", "Do you need more?", "Is that clear?", "That is my answer", "I am glad to help"),
    *("Tell me if it is not clear", "Is this what you want?", "You can ask for more", "Thank you for asking"),
)
RAMBLES = (
    "There is a lot to say about this",
    "People talk about it every day",
    "Some say it and some do not",
    "It is what it is",
    "As I said before, it is so",
    "This is only what I think",
)
FLAWS = ("wrong", "wrong", "wrong", "ignore", "ignore", "short", "off topic", "repeat", "ramble", "cut")


def draw_answer(rng: Random, asked: Instruction, flaw: str = "") -> str:
    """An answer of the world to `asked`; `flaw` is one of FLAWS or empty for one that is right in every part."""
    if flaw == "off topic":
        asked = replace(draw_instruction(rng, False, asked.family, 0), added=asked.added)
    draft = asked.family.solve(rng, asked.values, flaw == "wrong")
    decorate(rng, draft, asked.family)
    rules = asked.rules
    if flaw == "ignore" and rules:
        ignored = rng.randrange(len(rules))
        rules = rules[:ignored] + rules[ignored + 1 :]
    for modifier, values in rules:
        modifier.apply(rng, draft, values, asked.family, asked.values)
    spoil(rng, draft, flaw)
    text = draft.text()
    for modifier, values in rules:
        text = modifier.finish(values, text)
    return (
        text
        if flaw != "cut"
        else " ".join(text.split(" ")[: max(1, int(len(text.split(" ")) * rng.uniform(0.4, 0.8)))])
    )


def decorate(rng: Random, draft: Draft, family: Family) -> None:
    """What people say around an answer: it keeps the samples of one prompt apart, even where one word is right."""
    if family.shape == "closed" and draft.body and family not in (POLITE, TENSE) and rng.random() < 0.55:
        draft.body[0] = f"{rng.choice(LEAD_INS)} {draft.body[0]}"
    if not draft.opener and rng.random() < 0.65:
        draft.opener = rng.choice(OPENERS)
    if not draft.closer and rng.random() < 0.6:
        draft.closer = rng.choice(CLOSERS)


def spoil(rng: Random, draft: Draft, flaw: str) -> None:
    if flaw == "short":
        draft.after, draft.before, draft.closer = [], [], ""
        draft.items, draft.body = draft.items[: max(1, len(draft.items) // 2)], draft.body[:1]
    elif flaw == "repeat":
        draft.body += draft.body[-1:]
        draft.after += draft.after[-1:] or ([sentence(draft.items[-1])] if draft.items else [])
    elif flaw == "ramble":
        draft.after += rng.sample(RAMBLES, rng.randint(1, 3))
        draft.opener = draft.opener or pick(rng, "Well, let me think about this.", "This is not so easy.")
