"""What a rewrite keeps of its parent, and whether it asks for anything at all.

A weak policy answers a prompt where it should rewrite it, or writes a fragment. Such text has few of the parent's words
that carry content, or no form of a request.
"""

from __future__ import annotations

import re

from prompts import phrases
from prompts.likeness import words
from prompts.record import Prompt
from prompts.templates import IN_DEPTH

STEM = 5  # letters by which the forms of a word are one: explain, explains, explanation
NUMBER_WEIGHT = 2.0  # of a number, which no other word can stand for

_STATEMENT = re.compile(r"\A[^?？]+?(?:[.!](?=\s|\Z)|\n|\Z)")
_CODE = re.compile(r"```.*?(?:```|\Z)|<script\b.*?(?:</script>|\Z)", re.DOTALL | re.IGNORECASE)
ENGLISH = 6  # English prose has one word of grammar in two or three


def content_kept(parent: str, rewrite: str) -> float:
    """The share of the parent's content that is in the rewrite, in [0, 1].

    Content are the parent's different words without those that carry the grammar or the form of a request
    (`prompts.phrases.FUNCTION_WORDS`); a number weighs as much as two words. Forms of a word are told by their
    first letters. A parent of such words alone is taken whole, one without any word by its characters.
    """
    wanted = _stems(parent)
    wanted = {stem for stem in wanted if stem not in _FUNCTION_STEMS} or wanted
    if not wanted:
        marks = set("".join(parent.split()))
        return len(marks & set(rewrite)) / len(marks) if marks else 1.0
    kept = wanted & _stems(rewrite)
    return _weight(kept) / _weight(wanted)


def content_of(parent: Prompt, child: Prompt) -> float | None:
    """How much of the parent's content an in-depth rewrite keeps, in [0, 1]. None for breadth, which asks for other
    content, and for a strategy of one's own, of which nothing is known.
    """
    return content_kept(parent.instruction, child.instruction) if child.strategy in IN_DEPTH else None


def is_request(text: str) -> bool:
    """Whether `text` asks for something: a question, an order or a wish (`prompts.phrases.REQUESTS`).

    These are rules for English prose. What is none (another language, code, a formula, an emoji, two words) may be a
    request: nothing is said against a text before two words, and one in ENGLISH, are of English grammar. What opens
    like an answer ("To do so, you need to ...") asks for something in a later sentence or not at all.
    """
    found = words(text)
    grammar = sum(word in phrases.FUNCTION_WORDS for word in found)
    if grammar < 2 or grammar * ENGLISH < len(found):
        return True
    plain = text.lower().replace("’", "'")
    if phrases.ADVICE.match(plain):
        plain = _STATEMENT.sub("", plain, count=1)
    return phrases.REQUESTS.search(plain) is not None


def has_code(text: str) -> bool:
    """Whether a part of `text` is code by its marks."""
    return _CODE.search(text) is not None


def without_code(text: str) -> str:
    """`text` without what is code by its marks: fenced, or a script of HTML."""
    return _CODE.sub("\n", text)


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in words(text)}


def _stem(word: str) -> str:
    if any(char.isdigit() for char in word):
        return word
    if "가" <= word[0] <= "힣":
        return word[:2]  # a Korean word ends with its particles
    if len(word) > 3 and not word.endswith("ss"):
        word = word.removesuffix("s")
    return word[:STEM]


def _weight(stems: set[str]) -> float:
    return sum(NUMBER_WEIGHT if any(char.isdigit() for char in stem) else 1.0 for stem in stems)


_FUNCTION_STEMS = frozenset(_stem(word) for word in phrases.FUNCTION_WORDS)
