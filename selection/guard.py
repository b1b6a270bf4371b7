"""The guard against degenerate pairs, before sigma is computed.

Two nearly identical responses have almost no implicit margin, so a large alpha ranks them first although they teach
nothing. The paper's selection has no such guard; `guard = "paper"` switches this one off.
"""

from __future__ import annotations

from collections import Counter

from prompts.likeness import numbers, words

NEAR_IDENTICAL = 0.95


def near_identical(chosen: str, rejected: str) -> bool:
    """Whether two responses say the same in all but a few words.

    True if they are equal but for case, punctuation and space, or if they share at least 95 % of their words (Dice
    coefficient of the multisets; prompts.likeness says what a word is). Responses with different numbers, or the same
    in another order, are never near-identical: 41 against 42, 5 against -5 or 3:2 against 2:3 may be all that a pair is
    about.
    """
    if numbers(chosen) != numbers(rejected):
        return False
    one, other = Counter(words(chosen)), Counter(words(rejected))
    total = one.total() + other.total()
    if total == 0:
        return "".join(chosen.split()) == "".join(rejected.split())
    return 2 * (one & other).total() >= NEAR_IDENTICAL * total
