"""The parts of a table: which files in its folder are parts, and which of them are to be read.

A part is called FIRST-DIGEST.parquet, or FIRST+LAST-DIGEST.parquet if it holds the rows of the parts FIRST to LAST
(evolve.pool.compaction). From the moment that such a part is there, those that it covers are read no more.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

_NAME = re.compile(r"(\d{8})(?:\+(\d{8}))?-([0-9a-f]{16})\.parquet")


@dataclass(frozen=True, order=True)
class Part:
    """A part: the numbers that it covers, the digest of its bytes, and its file."""

    first: int
    last: int
    digest: str
    path: Path = field(compare=False)

    def covers(self, other: Part) -> bool:
        return (
            self.first <= other.first
            and other.last <= self.last
            and (self.first, self.last)
            != (
                other.first,
                other.last,
            )
        )


@dataclass(frozen=True)
class Listing:
    """What lies in a table's folder: the parts to read, those that another one covers, and files that are no parts."""

    parts: list[Part]
    covered: list[Part]
    strays: list[str]


def part_name(first: int, last: int, digest: str) -> str:
    """The file name of a part."""
    return f"{first:08d}-{digest}.parquet" if first == last else f"{first:08d}+{last:08d}-{digest}.parquet"


def listing(folder: Path) -> Listing:
    """List a table's folder; a folder that is not there has no parts. Of two parts with the same content one counts."""
    found: dict[str, Part] = {}
    strays: list[str] = []
    for entry in sorted(_entries(folder), key=lambda one: one.name):
        if entry.name.startswith(".") or entry.name.endswith(".damaged"):
            continue
        match = _NAME.fullmatch(entry.name)
        if match is None or not entry.is_file():
            strays.append(entry.name)
            continue
        part = Part(int(match[1]), int(match[2] or match[1]), match[3], Path(entry.path))
        if part.digest in found:
            strays.append(entry.name)
        found.setdefault(part.digest, part)
    wide = [part for part in found.values() if part.last > part.first]
    covered = {part.digest: part for part in found.values() if any(one.covers(part) for one in wide)}
    to_read = sorted(part for digest, part in found.items() if digest not in covered)
    return Listing(to_read, sorted(covered.values()), strays)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
