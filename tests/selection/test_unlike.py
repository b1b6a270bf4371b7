"""Pairs that are sure not to be near-identical never are, whatever their texts; most unlike pairs are sure."""

from __future__ import annotations

import random

import numpy as np

import selection.unlike
from selection import near_identical
from selection.unlike import surely_unlike

PIECES = (
    "river River stone a b C++ C# c 41 42 3.5 -5 a+b x_y don't == + - ÷ é naïve 中文 ไทย … _ # ++ 1/2 <b> e-mail 50%"
).split()
PIECES += ["²", "a + b", "2 × 3", "\n", "\t", "\x00"]


def _sure(pairs: list[tuple[str, str]]) -> list[bool]:
    texts = [one.encode() for one, _ in pairs] + [other.encode() for _, other in pairs]
    ends = np.cumsum([0, *map(len, texts)])
    return surely_unlike(np.frombuffer(b"".join(texts), np.uint8), ends).tolist()


def _text(rng: random.Random) -> list[str]:
    pieces = PIECES if rng.random() < 0.3 else [one for one in PIECES if one.isascii()]
    return rng.choices(pieces[: rng.choice([2, 5, 100])], k=rng.choice([0, 1, 2, 5, 30, 60]))


def _touched(rng: random.Random, words: list[str]) -> list[str]:
    """The words with some changed, gone, moved or added."""
    words = list(words)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        at = rng.randrange(len(words) + 1)
        words[at : at + rng.randrange(2)] = rng.choices(PIECES, k=rng.randrange(2))
    return [word.upper() if rng.random() < 0.05 else word for word in words]


def test_no_near_identical_pair_is_sure_to_be_unlike() -> None:
    rng = random.Random(0)
    pairs = []
    for _ in range(6_000):
        words = _text(rng)
        other = _touched(rng, words) if rng.random() < 0.8 else _text(rng)
        pairs.append((rng.choice([" ", " ", ""]).join(words), rng.choice([" ", "  "]).join(other)))
    sure = _sure(pairs)
    near = [near_identical(*pair) for pair in pairs]
    assert not [pair for pair, is_sure, is_near in zip(pairs, sure, near, strict=True) if is_sure and is_near]
    assert sum(near) > 500
    assert sum(sure) > 500


def test_most_pairs_of_unlike_texts_are_sure_whatever_the_block() -> None:
    rng = random.Random(1)
    words = [f"{a}{b}{c}" for a in "bdfgl" for b in "aeiou" for c in "knrst"]
    pairs = [tuple(" ".join(rng.choices(words, k=rng.randrange(20, 60))) for _ in range(2)) for _ in range(2_000)]
    sure = _sure(pairs)  # type: ignore[arg-type]
    assert sum(sure) > 1_950
    block, selection.unlike.BLOCK = selection.unlike.BLOCK, 7
    try:
        assert _sure(pairs) == sure  # type: ignore[arg-type]
    finally:
        selection.unlike.BLOCK = block


def test_texts_without_words_and_no_texts_at_all() -> None:
    assert _sure([]) == []
    assert _sure([("", ""), ("!", "?"), ("a", "b"), ("a", ""), ("é", "a")]) == [False, False, True, True, False]
