"""When two texts count as the same: the key for duplicates, and the measure for near-copies."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from rapidfuzz.distance import LCSseq

from prompts.ids import ID_BYTES
from prompts.record import Message

KEPT_SHARE = (19, 20)  # of the words of the original, in order: 95%, as a fraction to stay exact
NEW_WORDS = 2
NEW_SHARE = 0.2  # of the original's length: in a prompt of three words one more word is a change

_OPENING = " \"'`“”‘’«»„‚「『¿¡"
_CLOSING = " \"'`“”‘’«»」』.,;:!?…。、"
_OPERATORS = frozenset("-+*/=<>^%×÷")
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
# NFKC would make 2⁵ into 25.
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹]")
# Letters of scripts that are written without spaces: Thai, Lao, Tibetan, Myanmar, Khmer; kana and Chinese characters.
_UNSPACED = (
    r"\u0e01-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)


@cache
def _word() -> re.Pattern[str]:
    """What a word is. Vowel signs, tone marks and accents belong to the letter before them: they are no letters to
    Python, which would leave them out and so make one word of two that differ in them.
    """
    marks = _ranges(code for code in range(0x300, 0xFE30) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    letter = rf"[^\W_{_UNSPACED}]"
    return re.compile(
        rf"(?=[^\W_])[{_UNSPACED}][{marks}]*"  # a character of a script without spaces
        rf"|{letter}(?:{letter}|[{marks}]|\u200c(?=\w)|\u200d(?=\w))*(?:\+\+|#)?"  # a word or number; C++ and C#
        r"|(?<=[\w)\]] )[-+*/=<>^%×÷](?= [\w(])|(?<=\w)[+*/=<>^%×÷](?=\w)"  # an operator between two operands
    )


def _ranges(codes: Iterable[int]) -> str:
    """Ascending code points as the inside of a character class."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in runs)


def duplicate_key(text: str) -> str:
    """`text` without what makes no difference to a reader: case, Unicode form (NFKC), spacing, and the quotes and
    sentence punctuation at its ends. Two texts with the same key are duplicates. Operators, C++ against C and 2⁵
    against 25 stay apart.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _SUPERSCRIPT.sub(r"^\g<0>", text))
    spaced = " ".join(text.casefold().split())
    return spaced.lstrip(_OPENING).rstrip(_CLOSING) or spaced


def conversation_key(messages: Sequence[Message]) -> bytes:
    """12 bytes that are equal for two conversations whose turns have the same roles and duplicate keys.

    Earlier turns count: "make it shorter" after two different stories is two prompts. Small: a set of
    millions fits in memory.
    """
    return turns_key([turn["role"] for turn in messages], [turn["content"] for turn in messages])


def turns_key(roles: Sequence[str], contents: Sequence[str]) -> bytes:
    """`conversation_key` of turns that are given as columns."""
    turns = "\x1e".join([f"{role}\x1f{duplicate_key(text)}" for role, text in zip(roles, contents, strict=True)])
    return hashlib.blake2b(turns.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).digest()


def words(text: str) -> list[str]:
    """The words and numbers of `text` in order, case folded, operators between operands, no other punctuation.

    Where a script has no spaces (Chinese, Japanese, Thai ...) each character with its marks is a word.
    """
    return _word().findall(text.casefold())


def plain_words(text: str, *, sums: bool = False) -> list[str]:
    """The words of `text` as `words` has them, in Unicode's form NFKC, and without what cannot be seen (soft hyphens,
    zero-width spaces) and operators: re-cased, re-punctuated or otherwise encoded it has the same. With `sums` the
    operators beside numbers stay.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_UNSEEN)).casefold()
        text = unicodedata.normalize("NFKC", text)
    said = words(text)
    if not sums:
        return [word for word in said if word not in _OPERATORS]
    beside = ["", *said, ""]
    return [
        word
        for i, word in enumerate(said)
        if word not in _OPERATORS or beside[i][:1].isdigit() or beside[i + 2][:1].isdigit()
    ]


def numbers(text: str) -> list[str]:
    """The words of `text` that have a digit, in order, each with the minus sign before it if there is one."""
    text = text.casefold()
    found = [match for match in _word().finditer(text) if any(char.isdigit() for char in match.group())]
    return ["-" * (text[match.start() - 1 : match.start()] in ("-", "−")) + match.group() for match in found]


def nearly_same(original: Sequence[str], other: Sequence[str]) -> bool:
    """Whether `other` (words) is `original` but for a touch: at least 95% of the original's words stand in it in the
    same order, and at most 2 of its own words are new, and these at most a fifth of the original's number.

    Exact (longest common subsequence), yet quick on long texts: only near-copies get past the comparison of word
    counts.
    """
    n, m = len(original), len(other)
    kept = -(-n * KEPT_SHARE[0] // KEPT_SHARE[1])  # rounded up
    new = min(NEW_WORDS, int(n * NEW_SHARE))
    if not n or not kept <= m <= n + new:
        return False
    shared = sum((Counter(original) & Counter(other)).values())
    if shared < kept or m - shared > new:
        return False
    common = LCSseq.similarity(original, other)
    return common >= kept and m - common <= new
