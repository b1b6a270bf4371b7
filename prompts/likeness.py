"""When two texts count as the same: the key for duplicates, and the measure for near-copies."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from prompts.ids import ID_BYTES
from prompts.record import Message

KEPT_SHARE = (19, 20)  # of the words of the original, in order: 95%, as a fraction to stay exact
NEW_WORDS = 2
NEW_SHARE = 0.2  # of the original's length: in a prompt of three words one more word is a change

_OPENING = " \"'`“”‘’«»„‚「『¿¡"
_CLOSING = " \"'`“”‘’«»」』.,;:!?…。、"
# NFKC would make 2⁵ into 25.
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹]")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # a character of Chinese or Japanese, written without spaces
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:\+\+|#)?"  # a word or number; C++ and C#
    r"|(?<=[\w)\]] )[-+*/=<>^%×÷](?= [\w(])|(?<=\w)[+*/=<>^%×÷](?=\w)"  # an operator between two operands
)


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
    turns = "\x1e".join(f"{turn['role']}\x1f{duplicate_key(turn['content'])}" for turn in messages)
    return hashlib.blake2b(turns.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).digest()


def words(text: str) -> list[str]:
    """The words and numbers of `text` in order, case folded, operators between operands, no other punctuation."""
    return _WORD.findall(text.casefold())


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
