"""The guard against degenerate pairs, before sigma is computed.

Two nearly identical responses have almost no implicit margin, so a large alpha ranks them first although they teach
nothing. The paper's selection has no such guard; `guard = "paper"` switches this one off.
"""

from __future__ import annotations

import re
from collections import Counter

NEAR_IDENTICAL = 0.95

_WORD = re.compile(r"\w+")


def near_identical(chosen: str, rejected: str) -> bool:
    """Whether two responses say the same in all but a few words.

    True if they are equal but for case, punctuation and space, or if they share at least 95 % of their words (Dice
    coefficient of the multisets). Responses with different numbers are never near-identical: 41 against 42 may be all
    that a pair is about.
    """
    words = [Counter(_WORD.findall(text.casefold())) for text in (chosen, rejected)]
    numbers = [{w: n for w, n in count.items() if any(c.isdigit() for c in w)} for count in words]
    if numbers[0] != numbers[1]:
        return False
    total = sum(map(Counter.total, words))
    if total == 0:
        return "".join(chosen.split()) == "".join(rejected.split())
    return 2 * (words[0] & words[1]).total() >= NEAR_IDENTICAL * total
