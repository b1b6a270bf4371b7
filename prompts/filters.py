"""Which rewrites become prompts of X': one function and one reason for each way in which a rewrite can be bad.

A filter looks at one rewrite and its parent; its name is the reason. What a parent says itself never counts against
its rewrite: a prompt about prompts, one that asks for a letter of refusal or one that opens with "Sure!" is rewritten
like any other. Duplicates are judged where the set is known (`prompts.conversation_key`), tokens where the tokenizer
is (`too_long`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from prompts import phrases
from prompts.content import has_code, is_request, without_code
from prompts.likeness import duplicate_key, nearly_same, words
from prompts.reasons import KEPT
from prompts.record import Prompt
from prompts.templates import PLACEHOLDER, RewriteTemplate

LENGTH_RATIO = 5.0  # the authors' rule
OPENING = 400  # characters in which a refusal or an introduction shows itself
TEMPLATE_RUN = 8  # words in a row of the template's own: no accident
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“", "«": "»", "「": "」", "『": "』"}
_INVISIBLE = "\ufeff\u200b\u2060"
_THOUGHT = "</think>"


@dataclass(frozen=True)
class Rewrite:
    """A rewrite as `clean` left it, with its parent, the template that asked for it, and why generation ended."""

    parent: Prompt
    text: str
    template: RewriteTemplate
    finish_reason: str

    @cached_property
    def plain(self) -> str:
        """The text in lower case with straight apostrophes, as `prompts.phrases` expects it."""
        return _plain(self.text)

    @cached_property
    def words(self) -> list[str]:
        return words(self.text)

    @property
    def context(self) -> str:
        """All that the parent says, earlier turns included, as plain as the text."""
        return _plain("\n".join(turn["content"] for turn in self.parent.messages))

    def opens(self, pattern: re.Pattern[str]) -> bool:
        """Whether the rewrite opens with `pattern`, in words that are not its parent's."""
        match = pattern.match(self.plain, 0, OPENING)
        return match is not None and self.is_new(match.group())

    def says(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """What matches `pattern` anywhere in the rewrite and is not in the parent's words."""
        if any(word in self.plain for word in phrases.NEEDED):
            yield from (found for match in pattern.finditer(self.plain) if self.is_new(found := match.group()))

    def is_new(self, phrase: str) -> bool:
        """Whether no turn of the parent has `phrase`, punctuation aside."""
        return " ".join(words(phrase)) not in " ".join(words(self.context))


def clean(text: str, parent: Prompt) -> str:
    """The prompt in a reply, without its wrapping: outer space, a reasoning model's thoughts, and one pair of quotes
    around the whole.

    Quotes stay if the parent is wrapped in quotes too, or if the text has more of the same kind inside. Only what
    `clean` leaves is judged, kept as the prompt and answered.
    """
    if _THOUGHT in text and _THOUGHT not in parent.instruction:
        text = text.partition(_THOUGHT)[2]
    text = text.strip().strip(_INVISIBLE).strip()
    if _is_quoted(text) and not _is_quoted(parent.instruction.strip()):
        text = text[1:-1].strip()
    return text


def empty(rewrite: Rewrite) -> bool:
    """Nothing to answer: no letter or digit (unless the parent has none either: an emoji can be a prompt)."""
    return not rewrite.text.strip() or (_has_letters(rewrite.parent.instruction) and not _has_letters(rewrite.text))


def cut_off(rewrite: Rewrite) -> bool:
    """Stopped by the length limit, or by the engine: the end of the prompt is missing, however good the start."""
    return rewrite.finish_reason != "stop"


def refusal(rewrite: Rewrite) -> bool:
    """Opens by declining ("I'm sorry, but I can't help with that"): as a prompt it teaches nothing."""
    return rewrite.opens(phrases.REFUSALS)


def declines(response: str) -> bool:
    """Whether a response opens by declining, in the same words as a rewrite that is a refusal."""
    return phrases.REFUSALS.match(_plain(response), 0, OPENING) is not None


def introduction(rewrite: Rewrite) -> bool:
    """Opens by talking to whoever asked for it ("Here is the rewritten prompt", "Sure!"): that would be asked along
    with the prompt.
    """
    about_prompt = "prompt" not in rewrite.context and rewrite.opens(phrases.OPENING_ABOUT_PROMPT)
    return about_prompt or rewrite.opens(phrases.INTRODUCTIONS)


def leaked_label(rewrite: Rewrite) -> bool:
    """Carries a label of the rewriting task ("#Rewritten Prompt#:", "**New prompt:**") or the template's own marks
    around its prompt.
    """
    marks = [mark for mark in _marks(rewrite.template.text) if mark in rewrite.plain]
    return (
        any(mark not in rewrite.context for mark in marks)
        or rewrite.opens(phrases.OPENING_LABELS)
        or any(rewrite.says(phrases.LABELS))
    )


def leaked_template(rewrite: Rewrite) -> bool:
    """Repeats the instructions it was given: 8 words in a row of the template, or its placeholder, that the parent
    does not have.

    Found from the template in use, whoever wrote it.
    """
    if PLACEHOLDER in rewrite.plain and PLACEHOLDER not in rewrite.context:
        return True
    runs, known = _runs(rewrite.template.text)
    shared = _shared_runs(rewrite.words, runs, known)
    return bool(shared) and not shared <= _shared_runs(words(rewrite.context), runs, known)


def commentary(rewrite: Rewrite) -> bool:
    """Adds remarks on itself ("This rewritten version adds a constraint", "(12 words added)"): they would be asked
    along with the prompt.
    """
    nouns = _nouns(rewrite.context)
    return any(not _nouns(match) or not _nouns(match) <= nouns for match in rewrite.says(phrases.COMMENTARY))


def refers_back(rewrite: Rewrite) -> bool:
    """Speaks of "the given prompt", "the original question" and the like, which its reader never sees.

    Where the parent speaks of prompts (questions, instructions) itself, such words may mean its own and do not count.
    """
    nouns = _nouns(rewrite.context)
    return any(not _nouns(match) <= nouns for match in rewrite.says(phrases.REFERENCES))


def unchanged(rewrite: Rewrite) -> bool:
    """The parent again, or nearly: equal but for case, spacing and outer punctuation; or at least 95% of the parent's
    words are there in the same order, with at most 2 new ones that are at most a fifth of the parent's number
    (`prompts.likeness.nearly_same`).

    So "5" for "3" is a change in a line and a near-copy in a page.
    """
    parent = words(rewrite.parent.instruction)
    if nearly_same(parent, rewrite.words):
        return True
    # Texts whose numbers of words differ more than this have different keys: spares the slower test.
    near = abs(len(parent) - len(rewrite.words)) <= 0.1 * len(parent) + 2
    return near and duplicate_key(rewrite.text) == duplicate_key(rewrite.parent.instruction)


def length_ratio(rewrite: Rewrite) -> bool:
    """More than 5 times longer or shorter than the parent, in characters: an answer, a lecture or a stump.

    The authors' rule, kept as it is. It is hard on short parents: the 10 to 20 words asked for are about 60 to 120
    characters, too many for a parent of fewer than 15 to 30.
    """
    lengths = sorted((len(rewrite.text.strip()), len(rewrite.parent.instruction.strip())))
    return lengths[1] > LENGTH_RATIO * lengths[0]


def not_a_request(rewrite: Rewrite) -> bool:
    """Asks for nothing, where the parent does: an answer, a fragment, talk (`prompts.content.is_request`), an offer to
    help, or code with no request beside it. What begins with the whole parent asks what that asks.
    """
    parent = rewrite.parent.instruction
    asked = words(parent)
    if rewrite.words[: len(asked)] == asked or not is_request(parent):
        return False
    prose = rewrite.text if has_code(parent) else without_code(rewrite.text)
    if prose != rewrite.text and not _has_letters(prose):
        return True
    return not is_request(prose) or any(rewrite.is_new(offer) for offer in phrases.OFFERS.findall(rewrite.plain))


FILTERS: tuple[Callable[[Rewrite], bool], ...] = (
    empty,
    cut_off,
    refusal,
    introduction,
    leaked_label,
    leaked_template,
    commentary,
    refers_back,
    unchanged,
    length_ratio,
    not_a_request,
)
TOO_LONG, DUPLICATE = "too_long", "duplicate"


def verdict(parent: Prompt, text: str, template: RewriteTemplate, finish_reason: str) -> str:
    """KEPT, or the name of the first filter that rejects `text` (as `clean` left it), in the order of FILTERS."""
    rewrite = Rewrite(parent, text, template, finish_reason)
    return next((rule.__name__ for rule in FILTERS if rule(rewrite)), KEPT)


def too_long(n_tokens: int, limit: int | None) -> bool:
    """Whether a prompt of `n_tokens` is over `limit`: a model's context less the room for a response, in tokens."""
    return limit is not None and n_tokens > limit


def _plain(text: str) -> str:
    return text.lower().replace("’", "'")


def _has_letters(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _is_quoted(text: str) -> bool:
    if len(text) < 2 or _QUOTES.get(text[0]) != text[-1]:
        return False
    inside = text[1:-1]
    if text[0] in "'‘":  # an apostrophe is no quote
        inside = re.sub(r"(?<=\w)['’](?=\w)", "", inside)
    return text[0] not in inside and text[-1] not in inside


def _nouns(text: str) -> set[str]:
    return {noun for noun in phrases.NOUNS if noun in text}


@lru_cache(maxsize=64)
def _marks(template: str) -> tuple[str, ...]:
    """The lines next to the placeholder that are marks rather than words, such as <prompt> or #The Given Prompt#:."""
    before, _, after = template.partition(PLACEHOLDER)
    lines = [before.rstrip().rpartition("\n")[2].strip(), after.lstrip().partition("\n")[0].strip()]
    return tuple(_plain(line) for line in lines if len(line) <= 40 and re.match(r"[<#{\[*=|].*[a-zA-Z]", line))


@lru_cache(maxsize=64)
def _runs(template: str) -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """All runs of TEMPLATE_RUN words of the template, and its words."""
    parts = [words(part) for part in template.split(PLACEHOLDER)]
    runs = (tuple(part[i : i + TEMPLATE_RUN]) for part in parts for i in range(len(part) - TEMPLATE_RUN + 1))
    return frozenset(runs), frozenset(word for part in parts for word in part)


def _shared_runs(text: list[str], runs: frozenset[tuple[str, ...]], known: frozenset[str]) -> set[tuple[str, ...]]:
    shared, streak = set(), 0
    for i, word in enumerate(text):
        streak = streak + 1 if word in known else 0
        if streak >= TEMPLATE_RUN and (run := tuple(text[i - TEMPLATE_RUN + 1 : i + 1])) in runs:
            shared.add(run)
    return shared
