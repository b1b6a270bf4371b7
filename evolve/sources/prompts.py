"""The prompts X: read, cleared of what is no prompt, and drawn."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from evolve.sources.columns import choose, taken_along
from evolve.sources.conversation import RowDropped
from evolve.sources.hub import open_hub
from evolve.sources.lines import Row, Unreadable
from evolve.sources.location import locate
from evolve.sources.messages import messages_of
from evolve.sources.rows import Source, open_files
from prompts import Message, Prompt, conversation_key
from prompts.errors import UserError
from prompts.filters import DUPLICATE

NOT_DRAWN = "not_drawn"
_TOLD = 3  # bad rows that are told in words


@dataclass
class _Books:
    n_in: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    bad_rows: list[str] = field(default_factory=list)

    @property
    def n_unique(self) -> int:
        return self.n_in - self.dropped.total()


@dataclass(frozen=True)
class SourcePrompts:
    """The prompts drawn from a source, and the books: `n_in` rows read = `len()` of this + the rows `dropped` by
    reason.

    Reasons: empty, duplicate (`prompts.conversation_key`), bad_row (`bad_rows` tells the first few, row numbers from
    1), not_drawn. No text is held: `prompts` reads the source again.
    """

    source: Source
    column: str
    rows: array[int]
    n_in: int
    dropped: dict[str, int]
    bad_rows: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def commit(self) -> str:
        """The commit of a Hub dataset whose rows these are; "" for local files. `hub.at_commit` names it for good."""
        return self.source.commit

    @property
    def prompts(self) -> Iterator[Prompt]:
        """The prompts in the order of the source, read anew at each access."""
        numbered = enumerate(_read(self.source, self.column))
        for wanted in self.rows:
            row = next((row for number, row in numbered if number == wanted), Unreadable("gone"))
            try:
                messages = _messages(row, self.column)
            except RowDropped as drop:
                changed = f"The prompts changed while they were read (row {wanted + 1}: {drop.why})."
                raise UserError(f"{changed} Leave the file alone and run the command again.") from drop
            yield Prompt(messages)


def load_prompts(
    source: str,
    *,
    split: str | None = None,
    column: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    draw: int = 1,
) -> SourcePrompts:
    """Read prompts from a local file, a folder of files or a Hub dataset, without duplicates.

    `split` counts for Hub datasets, and for files whose names or folders announce one (evolve.sources.splits).

    `column` holds a string or a list of messages (`messages_of`); None takes the first of COLUMNS that is there.
    With a `limit` the draw is a random sample: the unique prompts are ranked by a hash of `seed` and text, and draw d
    has the ranks from limit * (d - 1) to limit * d. So the draws of one limit are disjoint, a smaller limit's first
    draw is part of a larger one's, and neither the order of the file nor the machine matters. Raises UserError if the
    source or column is not there, if nothing is left, or too little for the draw.
    """
    if draw < 1 or (limit is None and draw > 1) or (limit is not None and limit < 1):
        raise UserError(
            f"Draw {draw} of {limit or 'all'} prompts: expected both from 1, and a limit for a draw above 1."
        )
    location = locate(source, split)
    opened = open_files(location) if location.files else open_hub(source, split)
    column = choose(source, _columns(source, opened), column)
    books = _Books()
    unique = _unique(opened, column, books)
    if limit is None:
        chosen = [number for _, number in unique]
    else:
        ranked = heapq.nsmallest(limit * draw, ((_rank(seed, key), number) for key, number in unique))
        chosen = sorted(number for _, number in ranked[limit * (draw - 1) :])
    _check(source, column, books, (limit or 0) * draw)
    if not_drawn := books.n_unique - len(chosen):
        books.dropped[NOT_DRAWN] = not_drawn
    return SourcePrompts(opened, column, array("Q", chosen), books.n_in, dict(books.dropped), tuple(books.bad_rows))


def _columns(source: str, opened: Source) -> tuple[str, ...]:
    if not opened.columns:
        first = next((row.why for row in opened.rows(()) if isinstance(row, Unreadable)), "nothing in it")
        raise UserError(f"{source} has no row that can be read ({first}). Expected prompts, one a row.")
    return opened.columns


def _read(source: Source, column: str) -> Iterator[Row]:
    return source.rows([column, *(name for name in taken_along(column) if name in source.columns)])


def _messages(row: Row, column: str) -> list[Message]:
    if isinstance(row, Unreadable):
        raise RowDropped("bad_row", row.why)
    return messages_of(row, column)


def _unique(source: Source, column: str, books: _Books) -> Iterator[tuple[bytes, int]]:
    """Key and number of each row that is a prompt not seen before; the others go into the books."""
    seen: set[bytes] = set()
    for number, row in enumerate(_read(source, column)):
        books.n_in += 1
        try:
            key = conversation_key(_messages(row, column))
        except RowDropped as drop:
            books.dropped[drop.reason] += 1
            if drop.reason == "bad_row" and len(books.bad_rows) < _TOLD:
                books.bad_rows.append(f"row {number + 1}: {drop.why}")
            continue
        if key in seen:
            books.dropped[DUPLICATE] += 1
            continue
        seen.add(key)
        yield key, number


def _rank(seed: int, key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=12, key=str(seed).encode()).digest()


def _check(source: str, column: str, books: _Books, n_needed: int) -> None:
    if not books.n_unique:
        told = "; ".join([*books.bad_rows, *(f"{n} {reason}" for reason, n in books.dropped.items())])
        raise UserError(
            f"{source} has no prompt in column {column} ({books.n_in} rows; {told or 'nothing in it'}). "
            "Expected strings or lists of messages; see `prompts.column`."
        )
    if books.n_unique < n_needed:
        raise UserError(
            f"{source} has {books.n_unique} different prompts, and this draw needs {n_needed} (limit x draw). "
            "Lower `prompts.limit` or `prompts.draw`, or leave the limit out."
        )
