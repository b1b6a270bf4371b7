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

    def single(self, place: int) -> Segment:
        """The token at `place` alone, as a segment."""
        segment = self.segments[bisect_right(self.segments, place, key=lambda s: s.start) - 1]
        return segment.part(place, place + 1)


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
    """Indices of neighbouring rows, as many together as `budget` tokens take; a longer row is alone."""
    batches: list[list[int]] = []
    full = 0  # tokens of the groups of the batch that are complete
    group: list[list[int]] = []  # ids of the rows of the group at its end
    trunk = 0
    for i, row in enumerate(rows):
        same = share and bool(group) and rows[i - 1].group == row.group
        now = shared_length([group[0][:trunk], row.ids]) if same else len(row.ids)
        before = _laid(group, trunk)
        after = full + _laid([*group, row.ids], now) if same else full + before + len(row.ids)
        if batches and after <= budget:
            batches[-1].append(i)
            group, full = ([*group, row.ids], full) if same else ([row.ids], full + before)
            trunk = now
        else:
            batches.append([i])
            group, full, trunk = [row.ids], 0, len(row.ids)
    return batches


def _laid(group: list[list[int]], trunk: int) -> int:
    return trunk + sum(len(ids) - trunk for ids in group) if group else 0


def shared_length(rows: Sequence[list[int]]) -> int:
    """Number of leading tokens that all `rows` of ids have in common."""
    shared = min(map(len, rows))
    head = np.asarray(rows[0][:shared])
    for row in rows[1:]:
        differ = np.flatnonzero(head[:shared] != np.asarray(row[:shared]))
        shared = int(differ[0]) if differ.size else shared
    return shared
