"""The guard against degenerate pairs, before sigma is computed.

Two nearly identical responses have almost no implicit margin, so a large alpha ranks them first although they teach
nothing. The paper's selection has no such guard; `guard = "paper"` switches this one off. Some checks decide which
response is taken (`selection.pairs`), the others, here, look at the texts of a pair that was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from prompts.filters import declines
from prompts.likeness import numbers, words

NEAR_IDENTICAL = 0.95

PICKING = frozenset({"empty", "cut_off", "identical", "tie"})  # decide which responses may become a pair
READING = frozenset({"near_identical", "refusal", "truncation"})  # look at the texts of the pair
PRESETS: dict[str, frozenset[str]] = {
    "degenerate": PICKING | {"near_identical"},
    "paper": frozenset(),
    "strict": PICKING | READING,
}


def checks_of(guard: str | Collection[str]) -> frozenset[str]:
    """The checks of a preset by its name, or the checks that are named."""
    return PRESETS[guard] if isinstance(guard, str) else frozenset(guard)


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


def refused(chosen: str) -> bool:
    """Whether the chosen response opens by declining, in the phrases that a refused rewrite is known by."""
    return declines(chosen)


def same_after_truncation(
    chosen: str,
    rejected: str,
    n_tokens: tuple[int, int],
    kept: int,
    token_ids: tuple[list[int], list[int]] | None = None,
) -> bool:
    """Whether a trainer that keeps the first `kept` tokens of a response sees two equal ones.

    By the token ids where the pool has them (`policy.keep_token_ids`). Else by the text: the end of what both begin
    with is put at the token that its share of the characters gives, in both responses; an estimate, exact where tokens
    are equally long.
    """
    if min(n_tokens) < kept:
        return chosen == rejected  # what is not cut ends before the other does
    if token_ids is not None:
        return token_ids[0][:kept] == token_ids[1][:kept]
    differing = (i for i, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other)
    common = next(differing, min(len(chosen), len(rejected)))
    return all(n * common >= kept * max(len(text), 1) for text, n in ((chosen, n_tokens[0]), (rejected, n_tokens[1])))
