"""How varied a set of texts is: distinct-n."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from prompts.likeness import plain_words
from prompts.overlap import Digests, rolled

ORDERS = (1, 2, 3)


def distinct(texts: Iterable[str]) -> dict[str, float | None]:
    """distinct-n for n of ORDERS: how many different word n-grams `texts` have, of all that they have; None where they
    have none. No n-gram spans two texts. In (0, 1]; 1 where none occurs twice.

    It falls as texts get longer or more (Liu et al., 2202.13587), so compare sets of one size. Source: Li et al.,
    1510.03055.
    """
    digests = Digests()
    said = [digests.of(plain_words(text)) for text in texts]
    found: dict[str, float | None] = {}
    for n in ORDERS:
        grams = np.concatenate([np.empty(0, np.uint64), *(rolled(words, n) for words in said)])
        found[str(n)] = len(np.unique(grams)) / len(grams) if len(grams) else None
    return found
