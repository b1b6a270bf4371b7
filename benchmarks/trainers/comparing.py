"""Token ids and labels that a trainer made of pairs, against those of the policy's own chat template.

Nothing here knows a trainer. A row is identical where both sequences have the template's token ids and where just the
completion is trained, its end-of-turn included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SIDES = ("chosen", "rejected")
DROPPED = "row dropped"


@dataclass(frozen=True)
class Tokens:
    """A sequence as it is trained on: token ids, and for each whether its loss counts."""

    ids: tuple[int, ...]
    trained: tuple[bool, ...]

    @classmethod
    def of(cls, ids: Sequence[int], n_prompt: int) -> Tokens:
        """A sequence whose first `n_prompt` tokens are not trained."""
        return cls(tuple(ids), tuple(i >= n_prompt for i in range(len(ids))))

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the first trained one."""
        return self.ids[: self.trained.index(True)] if any(self.trained) else self.ids


Pair = dict[str, Tokens]  # chosen, rejected


@dataclass(frozen=True)
class Expected:
    """What the policy's template makes of one pair, and the prompt's messages, to say what is missing."""

    pair: Pair
    messages: list[dict[str, Any]]


@dataclass(frozen=True)
class Vocabulary:
    """Of the policy's tokenizer what faults are told by."""

    bos: int | None
    end_of_turn: int
    decode: Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Compared:
    """A dataset as a trainer loads it, against what is expected."""

    faults: list[dict[str, str | None]]
    """For each expected row and side what is wrong, None where the side is identical."""
    added: int = 0
    """Rows that the loader has beside."""

    @property
    def rows(self) -> int:
        return len(self.faults)

    @property
    def identical(self) -> int:
        """Rows of which both sides are."""
        return sum(not any(row.values()) for row in self.faults)

    @property
    def all_identical(self) -> bool:
        return self.identical == self.rows > 0 and not self.added

    def n_identical(self, side: str) -> int:
        return sum(row[side] is None for row in self.faults)

    def told(self) -> list[str]:
        """Each fault with the number of sequences that have it."""
        counts = Counter((side, told) for row in self.faults for side, told in row.items() if told)
        return [f"{side}, {n} rows: {told}" for (side, told), n in counts.items()] + (
            [f"{self.added} rows beside the dataset's"] if self.added else []
        )


def compare(expected: Sequence[Expected], loaded: Sequence[Pair], vocabulary: Vocabulary) -> Compared:
    """Compare a dataset with what a trainer's loader made of it, which may have dropped rows but not reordered them."""
    faults = []
    matches = _matches(expected, loaded)
    for row, match in zip(expected, matches, strict=True):
        of = {side: DROPPED if match is None else fault(row, side, loaded[match][side], vocabulary) for side in SIDES}
        faults.append(of)
    return Compared(faults, added=len(loaded) - sum(match is not None for match in matches))


def fault(row: Expected, side: str, loaded: Tokens, vocabulary: Vocabulary) -> str | None:
    """What is wrong with a loaded sequence, in a few words; None where it is identical."""
    expected = row.pair[side]
    if loaded == expected:
        return None
    if loaded.ids == expected.ids:
        early = sum(mine and not theirs for mine, theirs in zip(loaded.trained, expected.trained, strict=True))
        return "trains tokens of the prompt" if early else "does not train the whole completion"
    text = vocabulary.decode(loaded.ids)
    for message in reversed(row.messages):
        if message["content"].strip() not in text:
            return "lost prompt" if message is row.messages[-1] else f"lost {message['role']} message"
    if _doubled(loaded.ids, vocabulary.bos) and not _doubled(expected.ids, vocabulary.bos):
        return "doubled BOS"
    ended = bool(loaded.ids) and loaded.ids[-1] == vocabulary.end_of_turn
    if loaded.ids[: len(expected.ids)] == expected.ids:
        return "second end-of-turn" if ended else "tokens after the end-of-turn"
    if not ended:
        return "missing end-of-turn"
    return "other tokens in the prompt" if loaded.prompt != expected.prompt else "other tokens in the completion"


def _doubled(ids: Sequence[int], bos: int | None) -> bool:
    return bos is not None and tuple(ids[:2]) == (bos, bos)


def _matches(expected: Sequence[Expected], loaded: Sequence[Pair]) -> list[int | None]:
    """The loaded row of each expected one, None where the loader dropped it: in order, with as many identical sides
    as can be.
    """
    if len(expected) == len(loaded):
        return list(range(len(loaded)))
    n, m = len(expected), len(loaded)
    best = [[0] * (m + 1) for _ in range(n + 1)]  # best[i][j]: of expected[i:] and loaded[j:]
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + _likeness(expected[i], loaded[j]))
    matches: list[int | None] = []
    j = 0
    for i in range(n):
        while j < m and best[i][j] == best[i][j + 1] > best[i + 1][j]:
            j += 1  # a row that the loader made up
        take = j < m and best[i][j] == best[i + 1][j + 1] + _likeness(expected[i], loaded[j])
        matches.append(j if take else None)
        j += take
    return matches


def _likeness(expected: Expected, loaded: Pair) -> int:
    """How much two rows are of one pair; 1 for any two: a row that is merely wrong is not called dropped."""
    return 1 + sum(_likeness_of(expected.pair[side], loaded[side].ids) for side in SIDES)


def _likeness_of(expected: Tokens, ids: tuple[int, ...]) -> int:
    """6 where the token ids are the same, else 2 for the same prompt in front and 2 for the same completion behind."""
    if ids == expected.ids:
        return 6
    n = len(expected.prompt)
    return 2 * (ids[:n] == expected.ids[:n]) + 2 * (ids[-len(expected.ids[n:]) :] == expected.ids[n:])
