"""Text files as they come: packed or not, in UTF-8 or in UTF-16."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from prompts.errors import UserError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def kind_of(path: Path) -> str:
    """What a file's name says it is: its ending, without .gz, in lower case; other names for the same are one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    return {".ndjson": ".jsonl"}.get(last, last)


def open_text(path: Path) -> BinaryIO:
    """The bytes of a text file as UTF-8, unpacked if it is gzip. Raises `UserError` for a broken archive, and for text
    that says it is UTF-16 and is not.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as packed:
                data = packed.read()
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path} can't be unpacked ({error}). The download may be incomplete.") from error
        return io.BytesIO(_as_utf8(path, data))
    if start[:2] in _UTF16:
        return io.BytesIO(_as_utf8(path, path.read_bytes()))
    return cast(BinaryIO, path.open("rb"))


def _as_utf8(path: Path, data: bytes) -> bytes:
    if data[:2] not in _UTF16:
        return data
    try:
        return data.decode("utf-16").encode("utf-8")
    except UnicodeError as error:
        raise UserError(f"{path} begins as UTF-16 and is not ({error}). Save it as UTF-8.") from error
