"""Which prompts repeat a prompt of a benchmark: word 8-grams that both have, as 64-bit digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from prompts.likeness import plain_words

N = 8
"""Words of an n-gram, as Olmo 3 decontaminates."""
THRESHOLD = 0.5
"""Share of a benchmark's prompt from which on it counts as repeated, as in Olmo 3."""

_FACTOR = np.uint64(0x9E3779B97F4A7C17)
_EMPTY = np.empty(0, np.uint64)
_AT_ONCE = 1 << 21  # n-grams that two sides share, held at a time


class Digests(dict[str, int]):
    """Words to numbers of 64 bits, the same on every machine; each word is hashed once."""

    def __missing__(self, word: str) -> int:
        data = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self[word] = int.from_bytes(data, "little")
        return self[word]

    def of(self, words: Sequence[str]) -> np.ndarray:
        """One uint64 a word."""
        return np.fromiter(map(self.__getitem__, words), np.uint64, len(words))


def rolled(words: np.ndarray, n: int) -> np.ndarray:
    """Digests of the n-grams of `words` (uint64, one a word), in order; shape (max(0, len - n + 1),)."""
    count = len(words) - n + 1
    if count <= 0:
        return _EMPTY
    found = np.zeros(count, np.uint64)
    for i in range(n):  # modulo 2^64
        found = found * _FACTOR + words[i : i + count]
    return found


def grams(text: str, digests: Digests) -> tuple[np.ndarray, int]:
    """The digests of the 8-grams of a text in order, and how many words it has. A text of fewer words has one digest,
    that of the whole, where operators beside numbers count: 3 + 4 is not 3 - 4.
    """
    said = plain_words(text)
    if len(said) >= N:
        return rolled(digests.of(said), N), len(said)
    whole = " ".join(plain_words(text, sums=True))
    return (digests.of([f"\0{whole}"]), len(said)) if said else (_EMPTY, 0)


@dataclass(frozen=True)
class Index:
    """A benchmark's prompts: their digests (uint64) one prompt after the other, and how many words each has (uint32).

    A prompt of at least N words has one digest for each of its N-grams, a shorter one has one, an empty one none.
    """

    digests: np.ndarray
    n_words: np.ndarray

    def __len__(self) -> int:
        return len(self.n_words)

    @property
    def counts(self) -> np.ndarray:
        """How many digests each prompt has."""
        words = self.n_words.astype(np.int64)
        return np.where(words >= N, words - N + 1, np.minimum(words, 1))


def index_of(texts: Iterable[str]) -> Index:
    """The index of a benchmark's prompts."""
    digests = Digests()
    found = [grams(text, digests) for text in texts]
    return Index(np.concatenate([_EMPTY, *(one for one, _ in found)]), np.array([n for _, n in found], dtype=np.uint32))


@dataclass(frozen=True)
class Overlaps:
    """Of each pair of a prompt and a benchmark's prompt that share an n-gram: both places, and the share of the
    benchmark's prompt, in words, that lies in shared n-grams. Arrays of one length, in order of both.
    """

    prompts: np.ndarray
    rows: np.ndarray
    shares: np.ndarray

    @property
    def repeats(self) -> np.ndarray:
        """Which of these count as a repetition."""
        return self.shares >= THRESHOLD


def overlaps(prompts: Iterable[Sequence[str]], benchmark: Index) -> Overlaps:
    """What `prompts`, each given by its texts (the user's turns), share with a benchmark's.

    The share is of the benchmark's prompt: a longer text that holds all of it has 1. A prompt of fewer than N words is
    repeated by a text that is the same whole. Memory is bounded by the longest prompt and the size of the benchmark,
    not by the number of prompts.
    """
    search = _Search(benchmark)
    found = [search.found(*batch) for batch in search.batches(prompts)]
    columns = zip(*found, strict=True) if found else ((np.empty(0, np.int64),) * 2 + (np.empty(0),))
    return Overlaps(*(np.concatenate(one) if isinstance(one, tuple) else one for one in columns))


class _Search:
    """The n-grams of a benchmark, sorted."""

    def __init__(self, benchmark: Index) -> None:
        counts = benchmark.counts
        starts = np.cumsum(counts) - counts
        order = np.argsort(benchmark.digests, kind="stable")
        self._keys = benchmark.digests[order]
        self._rows = np.repeat(np.arange(len(counts)), counts)[order]
        self._places = (np.arange(len(order)) - np.repeat(starts, counts))[order]
        self._n_words = benchmark.n_words.astype(np.int64)

    def batches(self, prompts: Iterable[Sequence[str]]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The digests that are in the benchmark, once a prompt: whose prompts they are, and where among the keys they
        begin and end. As many at a time as memory is meant for.
        """
        digests, batch, size = Digests(), [], 0
        for number, texts in enumerate(prompts):
            asked = np.unique(np.concatenate([_EMPTY, *(grams(text, digests)[0] for text in texts)]))
            first, last = (np.searchsorted(self._keys, asked, side) for side in ("left", "right"))
            there = np.flatnonzero(last > first)
            if not len(there):
                continue
            batch.append((np.full(len(there), number), first[there], last[there]))
            size += int((last - first)[there].sum())
            if size > _AT_ONCE:
                yield _joined(batch)
                batch, size = [], 0
        if batch:
            yield _joined(batch)

    def found(self, prompts: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, ...]:
        """Prompt, row and share of each pair of both."""
        counts = last - first
        at = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        prompts, rows, places = np.repeat(prompts, counts), self._rows[at], self._places[at]
        order = np.lexsort((places, rows, prompts))
        prompts, rows, places = prompts[order], rows[order], places[order]
        is_new = np.append(True, (prompts[1:] != prompts[:-1]) | (rows[1:] != rows[:-1]))
        covers = np.minimum(N, self._n_words[rows])  # the words of a gram, or of a whole that is shorter
        until_next = np.append(places[1:] - places[:-1], N)
        until_next[np.append(is_new[1:], True)] = N
        starts = np.flatnonzero(is_new)
        covered = np.add.reduceat(np.minimum(covers, until_next), starts)
        return prompts[starts], rows[starts], covered / self._n_words[rows[starts]]


def _joined(batch: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    prompts, first, last = (np.concatenate(column) for column in zip(*batch, strict=True))
    return prompts, first, last


def shared_words(text: str, others: Iterable[str]) -> str:
    """The longest stretch of words of `text`, a benchmark's prompt, in N-grams that `others` have too; a text of fewer
    words than N is given whole.
    """
    digests, said = Digests(), plain_words(text)
    if len(said) < N:
        return " ".join(said)
    theirs = np.concatenate([_EMPTY, *(grams(other, digests)[0] for other in others)])
    covered = np.zeros(len(said) + 2, dtype=np.int8)
    for place in np.flatnonzero(np.isin(rolled(digests.of(said), N), theirs)).tolist():
        covered[place + 1 : place + 1 + N] = 1
    turns = np.flatnonzero(np.diff(covered)).reshape(-1, 2)
    if not len(turns):
        return ""
    first, last = turns[np.argmax(turns[:, 1] - turns[:, 0])].tolist()
    return " ".join(said[first:last])
