"""Ids in bulk, millions of them: from columns to arrays, and where each one is among others."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from prompts import linked_ids
from prompts.ids import ID_BYTES, around_ids

ID = "S24"  # numpy's name for an id: 24 hexadecimal digits
BLOCK = 1 << 18  # ids taken at a time: what is needed beside them stays small
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def ids_of(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A column of ids as an array of type ID. A null is the empty id."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    arrays = [_ids_of_chunk(chunk) for chunk in chunks if len(chunk)]
    return np.concatenate([np.empty(0, ID), *arrays]) if len(arrays) != 1 else arrays[0]


def _ids_of_chunk(chunk: pa.Array) -> np.ndarray:
    try:
        fixed = chunk.cast(pa.binary()).cast(pa.binary(24))
    except pa.ArrowInvalid:  # of another length
        return np.array(chunk.fill_null("").to_pylist(), ID)
    if fixed.null_count:
        return np.array(chunk.fill_null("").to_pylist(), ID)
    return np.frombuffer(fixed.buffers()[1], ID, count=len(fixed), offset=fixed.offset * 24)


def text_of(ids: np.ndarray) -> list[str]:
    """Ids as text."""
    return [identity.decode() for identity in ids.tolist()]


def column_of(ids: np.ndarray) -> pa.Array:
    """Ids of type ID as a column of text."""
    data = np.ascontiguousarray(ids)
    if not data.view(np.uint8).all():  # of another length
        return pa.array(text_of(ids), pa.string())
    ends = np.arange(0, 24 * len(ids) + 1, 24, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(data))


def linked(kind: str, *ids: np.ndarray, also: Sequence[Any] = ()) -> np.ndarray:
    """`prompts.linked_ids` of arrays of type ID, as such an array: what is hashed is laid out for many rows at once."""
    if not all(np.ascontiguousarray(one).view(np.uint8).all() for one in ids):  # of another length
        return id_array(list(linked_ids(kind, *map(text_of, ids), also=also)))
    start, end = (text.encode("utf-8", "surrogatepass") for text in around_ids(kind, also))
    pattern = np.frombuffer(start + b'","'.join([bytes(24)] * len(ids)) + end, np.uint8)
    width, found = len(pattern), np.empty(len(ids[0]), ID)
    for first in range(0, len(found), BLOCK):
        parts = [np.ascontiguousarray(one[first : first + BLOCK]).view(np.uint8).reshape(-1, 24) for one in ids]
        rows = np.tile(pattern, (len(parts[0]), 1))
        for i, part in enumerate(parts):
            at = len(start) + 27 * i
            rows[:, at : at + 24] = part
        data = rows.tobytes()
        digests = [
            hashlib.blake2b(data[at : at + width], digest_size=ID_BYTES).digest() for at in range(0, len(data), width)
        ]
        found[first : first + BLOCK] = np.frombuffer(b"".join(digests).hex().encode(), ID)
    return found


def id_array(ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Ids, given as text or as an array, as an array of type ID."""
    return ids if isinstance(ids, np.ndarray) and ids.dtype == ID else np.array(ids, ID)


class Index:
    """Where each of some ids is; of an id that occurs twice the last place counts. 20 bytes an id.

    Ids are compared as numbers, several times faster than as text: sought by their first 16 digits, then checked by the
    other 8. Where two ids share the first 16 (hashes of content never do), or some are no digits, they are compared as
    text.
    """

    def __init__(self, ids: np.ndarray) -> None:
        """`ids` of type ID, shape (n,)."""
        order, same, self._by_number, (high, self._low) = _sorted(ids)
        last = np.append(~same, True)[: len(order)]
        self._places = order[last].astype(np.uint32 if len(ids) < 2**32 else np.int64)
        self._keys = (high if self._by_number else ids)[self._places]

    def __len__(self) -> int:
        """How many different ids there are."""
        return len(self._keys)

    def find(self, ids: np.ndarray) -> np.ndarray:
        """The place of each of `ids` (of type ID, shape (m,)), -1 where it is not there."""
        places = np.full(len(ids), -1, dtype=np.int64)
        for start in range(0, len(ids) if len(self) else 0, BLOCK):
            part = ids[start : start + BLOCK]
            high, low, sound = _numbers(part)
            wanted = high if self._by_number else part
            order = np.argsort(wanted)
            at = np.empty(len(part), np.int64)
            at[order] = np.searchsorted(self._keys, wanted[order])  # in order: neighbours are found in the cache
            at[at == len(self)] = 0
            there = self._keys[at] == wanted
            found = self._places[at]
            if self._by_number:
                there &= sound & (self._low[found] == low)
            places[start : start + BLOCK][there] = found[there]
        return places


def distinct(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of `ids`, sorted, and which of them each of `ids` is (int64)."""
    order, same, _, _ = _sorted(ids)
    first = np.append(True, ~same)[: len(order)]
    which = np.empty(len(ids), np.int64)
    which[order] = np.cumsum(first) - 1
    return ids[order[first]], which


def _sorted(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool, tuple[np.ndarray, np.ndarray]]:
    """The order that sorts `ids`, equal ones as they come; which of the sorted are equal to the next; whether they were
    compared by their first 16 digits alone, and all as numbers.
    """
    high, low, sound = _numbers(ids)
    order = np.argsort(high)  # several times faster than a stable one, and the same where all differ
    if (high[order[1:]] == high[order[:-1]]).any():
        order = np.argsort(high, kind="stable")
    same = high[order[1:]] == high[order[:-1]]
    by_number = bool(sound.all() and (~same | (low[order[1:]] == low[order[:-1]])).all())
    if not by_number:
        order = np.argsort(ids, kind="stable")
        same = ids[order[1:]] == ids[order[:-1]]
    return order, same, by_number, (high, low)


def _numbers(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first 16 digits of each id as a uint64, the last 8 as a uint32, and whether these are 24 digits."""
    high, low, sound = np.empty(len(ids), np.uint64), np.empty(len(ids), np.uint32), np.empty(len(ids), bool)
    for start in range(0, len(ids), BLOCK):
        part = slice(start, start + BLOCK)
        data, sound[part] = _decoded(np.ascontiguousarray(ids[part]).view(np.uint8))
        high[part] = np.ascontiguousarray(data[:, :8]).view(">u8").ravel()
        low[part] = np.ascontiguousarray(data[:, 8:]).view(">u4").ravel()
    return high, low, sound


def _decoded(text: np.ndarray) -> tuple[np.ndarray, np.ndarray | bool]:
    """The 12 bytes of each of some ids, uint8 (n, 12), and which of them are 24 digits in lower case."""
    if len(text) and np.bitwise_and.reduce(text) & 0x20:  # a bit that digits have, and letters in lower case
        try:
            return np.frombuffer(binascii.unhexlify(text.data), np.uint8).reshape(-1, 12), True
        except binascii.Error:
            pass
    digits = _DIGITS[text.reshape(-1, 24)]
    return (digits[:, 0::2] << 4) | digits[:, 1::2], (digits <= 15).all(axis=1)
