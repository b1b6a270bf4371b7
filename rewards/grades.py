"""The grade in what a judge wrote.

The rule: the last mention "score" followed by a colon, an equals sign, "of", "is" or "was" and by a number. Full-width
characters count as their plain forms; markup around the parts is passed over, as is a remark in parentheses after
"score"; a comma is a decimal one unless three digits follow; "/10" and "out of 10" may follow, another denominator
may not. A number with a sign, a range, or one outside LOWEST to HIGHEST is no grade. Every repetition in the patterns
is bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
import unicodedata

LOWEST, HIGHEST = 1.0, 10.0
_MARKUP = r"[\s*_`\"'#~|<>\[\](){}]{0,12}"
_MENTION = re.compile(
    rf"\bscore{_MARKUP}(?:\([^()\n]{{0,40}}\){_MARKUP})?(?:[:=]|\b(?:of|is|was)\b){_MARKUP}(?=[-+−–]?\s?\d)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(\d{1,9}(?:[.,]\d{1,9})?)(?![\w]|[.,]\d|\s?[-–−]\s?\d)"
    r"[\s*_`]{0,6}(?:(?:/|out of)\s{0,3}(\d{1,9})(?![\w]|[.,]\d))?"
)


def grade_of(text: str) -> float | None:
    """The grade in `text`, LOWEST to HIGHEST, or None."""
    text = unicodedata.normalize("NFKC", text)
    mentions = list(_MENTION.finditer(text))
    found = _NUMBER.match(text, mentions[-1].end()) if mentions else None
    if not found or found[2] not in (None, "10"):
        return None
    digits = found[1].replace(",", "" if re.search(r",\d{3}$", found[1]) else ".")
    return float(digits) if LOWEST <= float(digits) <= HIGHEST else None


def answer_of(content: str, reasoning: str, finish_reason: str) -> str | None:
    """The text that a grade is looked for in; None where the judge stopped before it answered.

    It is the content after its thoughts (<think> ... </think>). Where there is none, the server's reasoning field
    stands for it, but only if the judge came to an end: thoughts that were cut off hold no verdict.
    """
    head, closed, rest = content.rpartition("</think>")
    visible = rest if closed else content.partition("<think>")[0]
    if visible.strip():
        return visible
    thoughts = reasoning or head
    return thoughts if thoughts.strip() and finish_reason == "stop" else None
