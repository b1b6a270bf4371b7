"""Rows laid end to end in one, what is common to them laid once. Lists of ids in, lists of places out; no model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation's token ids, the positions in them to read, and the group that shares a prefix with it."""

    ids: list[int]
    reads: tuple[int, ...]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens [start, end) of a packed row see [trunk_start, trunk_end), [own_start, start), and themselves causally."""

    start: int
    end: int
    trunk_start: int
    trunk_end: int
    own_start: int

    @property
    def n_keys(self) -> int:
        return self.trunk_end - self.trunk_start + self.end - self.own_start

    def part(self, start: int, end: int) -> Segment:
        """The tokens [start, end) of this segment, as a segment that sees what they see."""
        return Segment(start, end, self.trunk_start, self.trunk_end, self.own_start)

    def blocks(self, size: int) -> Iterator[Segment]:
        """This segment in parts of at most `size` tokens."""
        for start in range(self.start, self.end, size):
            yield self.part(start, min(start + size, self.end))


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows laid end to end: ids and positions of every token, who sees whom, and where each row's reads now lie."""

    ids: list[int]
    positions: list[int]
    segments: list[Segment]
    reads: list[list[int]]

    def spans(self, places: Sequence[int]) -> list[Segment]:
        """The tokens at `places` (ascending) as segments in the same order, neighbours of one segment together."""
        found: list[Segment] = []
        for place in places:
            if found and place == found[-1].end < self._segment_of(found[-1].start).end:
                found[-1] = found[-1].part(found[-1].start, place + 1)
            else:
                found.append(self._segment_of(place).part(place, place + 1))
        return found

    def _segment_of(self, place: int) -> Segment:
        return self.segments[bisect_right(self.segments, place, key=lambda s: s.start) - 1]


def lay_out(rows: Sequence[Row], *, share: bool) -> Pack:
    """Lay `rows` end to end; with `share`, neighbours of one group have their common prefix laid once, before them."""
    pack = Pack([], [], [], [])
    first = 0
    while first < len(rows):
        last = first + 1
        while share and last < len(rows) and rows[last].group == rows[first].group:
            last += 1
        _lay_group(pack, rows[first:last])
        first = last
    return pack


def _lay_group(pack: Pack, rows: Sequence[Row]) -> None:
    trunk = shared_length([row.ids for row in rows]) if len(rows) > 1 else 0
    trunk_start = len(pack.ids)
    if trunk:
        _lay_segment(pack, rows[0].ids[:trunk], 0, trunk_start, trunk_start)
    for row in rows:
        start = len(pack.ids)
        if len(row.ids) > trunk:
            _lay_segment(pack, row.ids[trunk:], trunk, trunk_start, trunk_start + trunk)
        pack.reads.append([trunk_start + at if at < trunk else start + at - trunk for at in row.reads])


def _lay_segment(pack: Pack, ids: list[int], position: int, trunk_start: int, trunk_end: int) -> None:
    start = len(pack.ids)
    pack.ids.extend(ids)
    pack.positions.extend(range(position, position + len(ids)))
    pack.segments.append(Segment(start, len(pack.ids), trunk_start, trunk_end, start))


def packs(rows: Sequence[Row], budget: int, *, share: bool) -> list[list[int]]:
    """Indices of neighbouring rows, as many together as `budget` tokens take; a longer row is alone.

    With `share`, a group is only taken apart where it alone is over the budget: its prefix is laid once.
    """
    batches: list[list[int]] = []
    full = 0
    for piece, tokens in _pieces(rows, budget, share=share):
        if batches and full + tokens <= budget:
            batches[-1] += piece
            full += tokens
        else:
            batches.append(piece)
            full = tokens
    return batches


def _pieces(rows: Sequence[Row], budget: int, *, share: bool) -> Iterator[tuple[list[int], int]]:
    """Neighbours that share a prefix and fit the budget together, and the tokens that they take."""
    piece: list[int] = []
    trunk = whole = laid = 0  # tokens: of the common prefix, of all rows, of all rows with the prefix laid once
    for i, row in enumerate(rows):
        if piece and share and rows[piece[0]].group == row.group:
            common = shared_length([rows[piece[0]].ids[:trunk], row.ids])
            together = whole + len(row.ids) - common * len(piece)
            if together <= budget:
                piece.append(i)
                trunk, whole, laid = common, whole + len(row.ids), together
                continue
        if piece:
            yield piece, laid
        piece, trunk, whole, laid = [i], len(row.ids), len(row.ids), len(row.ids)
    if piece:
        yield piece, laid


def shared_length(rows: Sequence[list[int]]) -> int:
    """Number of leading tokens that all `rows` of ids have in common."""
    shared = min(map(len, rows))
    head = np.asarray(rows[0][:shared])
    for row in rows[1:]:
        differ = np.flatnonzero(head[:shared] != np.asarray(row[:shared]))
        shared = int(differ[0]) if differ.size else shared
    return shared
