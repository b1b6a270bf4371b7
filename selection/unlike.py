"""Which pairs of texts are surely not near-identical, by counts of bytes: what need not be split into words.

`selection.near_identical` splits both texts of a pair into words, 0.1 ms and more. Nearly all pairs share far fewer
words than it asks for, and where both texts are ASCII whole arrays tell so many times faster.
"""

from __future__ import annotations

import numpy as np

from selection.guard import NEAR_IDENTICAL

KINDS = 64  # of words, by length, first and last character: equal words are of one kind
BLOCK = 8_192  # pairs taken at a time
_CODE = np.zeros(256, np.uint8)  # of a character of a word, case folded
for _places in (b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    _CODE[list(_places)] = np.arange(len(_places)) + (1 if len(_places) == 10 else 11)
_OPERATOR = np.zeros(256, bool)  # which may be words, between operands
_OPERATOR[list(b"-+*/=<>^%")] = True


def surely_unlike(data: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Of n pairs which are surely not near-identical: bool (n,).

    `data` uint8: all texts as UTF-8, one after the other, first the n chosen, then the n rejected; `ends` int (2n+1,):
    0 and where each text ends. Pairs with a text beyond ASCII are never sure.
    """
    n = len(ends) // 2
    sure = np.empty(n, bool)
    for start in range(0, n, BLOCK):
        last = min(start + BLOCK, n)
        one, other = (_counts(data, ends[first + start : first + last + 1]) for first in (0, n))
        shared = np.minimum(one[0], other[0]).sum(axis=1)
        words = one[0].sum(axis=1) + other[0].sum(axis=1)
        operators = np.minimum(one[1], other[1])  # at most so many are words of both
        most = 2 * (shared + operators) + 1e-6 < NEAR_IDENTICAL * (words + 2 * operators)
        sure[start:last] = most & (words > 0) & one[2] & other[2]
    return sure


def _counts(data: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each of m texts: how many words of each kind (m, KINDS), how many operators, whether it is ASCII alone.

    A word of ASCII is an unbroken run of letters and digits, as `prompts.likeness.words` has it, but for what may stand
    behind it (C++, C#).
    """
    text = data[ends[0] : ends[-1]]
    ends = ends - ends[0]
    m = len(ends) - 1
    codes = _CODE[text]
    inside = codes > 0
    breaks = np.zeros(len(text) + 1, bool)  # where a text begins, no word goes on
    breaks[ends] = True
    starts = np.flatnonzero(inside & (breaks[:-1] | ~np.append(False, inside[:-1]))) if len(text) else ends[:0]
    stops = np.flatnonzero(inside & (breaks[1:] | ~np.append(inside[1:], False))) if len(text) else ends[:0]
    kinds = (7 * codes[starts].astype(np.int64) + 19 * codes[stops] + 5 * (stops - starts)) % KINDS

    def in_each(places: np.ndarray) -> np.ndarray:
        return np.diff(np.searchsorted(places, ends))

    of_text = np.repeat(np.arange(m), in_each(starts))
    counts = np.bincount(of_text * KINDS + kinds, minlength=m * KINDS).reshape(m, KINDS)
    beyond = in_each(np.flatnonzero(text > 127))
    return counts, in_each(np.flatnonzero(_OPERATOR[text])), beyond == 0
