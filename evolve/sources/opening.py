"""Text files as they come: packed or not, in UTF-8, UTF-16 or UTF-32, with line ends of any system."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from prompts.errors import UserError

_GZIP = b"\x1f\x8b"
# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DISGUISED = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"PAR1": "parquet",
    b"ARROW1": "Arrow",
    b"SQLite format 3": "an SQLite database",
    b"\x80\x04\x95": "a Python pickle",
    b"version https://git-lfs": "a git-lfs pointer: the data itself was not fetched (git lfs pull)",
    b"<!DOCTYPE": "a web page",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
_START = 1 << 16  # bytes that are looked at before a file is read


def kind_of(path: Path) -> str:
    """What a file's name says it is: its ending, without .gz, in lower case; other names for the same are one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    return {".ndjson": ".jsonl", ".tab": ".tsv", ".pq": ".parquet"}.get(last, last)


def stem_of(path: Path) -> str:
    """A file's name without its ending, and without .gz."""
    return Path(path.name.removesuffix(".gz")).stem


@contextmanager
def open_text(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a text file as UTF-8, unpacked as they are read if it is gzip.

    Raises `UserError`, also later while it is read, for a broken archive, for a file that is gone or may not be read,
    for what is no text whatever its name says, and for text in UTF-16 that does not say so.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == _GZIP
            plain = cast(io.BufferedReader, gzip.GzipFile(fileobj=file)) if packed else file
            with _as_utf8(path, plain) as text:
                yield text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be unpacked ({error}). The download may be incomplete.") from error
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror or error}). Check the path and its owner.") from error
    except MemoryError as error:
        raise UserError(f"{path} does not fit the memory. Split it, or write it as .jsonl or .parquet.") from error


def _as_utf8(path: Path, file: io.BufferedReader) -> BinaryIO:
    start = file.peek(_START)[:_START]
    if what := next((what for magic, what in _DISGUISED.items() if start.startswith(magic)), None):
        raise UserError(f"{path} is {what}, and its name says it is text. Fetch, unpack or rename it first.")
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            try:
                return io.BytesIO(file.read().decode(encoding).encode("utf-8", "surrogatepass"))
            except UnicodeError as error:
                named = encoding.upper()
                raise UserError(f"{path} begins as {named} and is not ({error}). Save it as UTF-8.") from error
    if max(start[::2].count(0), start[1::2].count(0)) * 4 > len(start) > 7:
        raise UserError(f"{path} looks like UTF-16 without a byte order mark. Save it as UTF-8.")
    if b"\r" in start[:-1] and b"\n" not in start:  # line ends of old systems
        return io.BytesIO(file.read().replace(b"\r", b"\n"))
    return cast(BinaryIO, file)
