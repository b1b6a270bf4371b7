"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from prompts.errors import UserError

UNFINISHED = ".unfinished"


@contextmanager
def whole_file(path: Path, *, make_folder: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that appears at `path`, synced, when the block ends, and not at all when it raises.

    What is there and is no regular file (a device, a pipe) is written to, not replaced. Without `make_folder` a folder
    that is gone is an error. Raises `UserError` when the disk is full or the folder may not be written to.
    """
    with told(path):
        is_special = path.exists() and not path.is_file() and not path.is_dir()
    if is_special:
        with told(path), path.open("wb") as file:
            yield file
        return
    # A name of its own: two programs that write the same file do not meet before one of them is done.
    unfinished = path.parent / f".{os.getpid()}-{secrets.token_hex(6)}{UNFINISHED}"
    try:
        with told(path):
            if make_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(unfinished, flags, 0o666), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _sync_folder(path.parent)
    finally:
        _remove(unfinished)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What the system says of `path` in the block, as a `UserError`."""
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error


def arrow_file(path: Path) -> pa.NativeFile:
    """A file to read by Arrow, whatever its name: Arrow itself takes names in UTF-8 alone. Its memory is Arrow's own,
    which may be let go after the interpreter is gone.
    """
    return pa.OSFile(os.fsencode(path))


def unfinished_in(folder: Path) -> list[Path]:
    """What a killed program has left in a folder that only the caller writes to."""
    return sorted(folder.glob(f".*{UNFINISHED}"))


def not_written(path: Path, error: OSError) -> UserError:
    """What to tell a user about a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        cause, way_out = "the disk is full", "Free some space"
    elif error.errno == errno.ENOENT:
        cause, way_out = "its folder is gone", "Was it removed or moved meanwhile? Then put it back"
    elif error.errno == errno.EFBIG:
        cause, way_out = "it would be larger than this system allows", "Raise the limit (ulimit -f)"
    else:
        cause, way_out = f"it can't be written ({error.strerror or error})", "Give a folder that you may write to"
    return UserError(f"{path}: {cause}. Everything written before is intact. {way_out} and run the same command again.")


def not_read(path: Path, error: OSError) -> UserError:
    """What to tell a user about a file that is there and could not be read."""
    return UserError(
        f"{path} can't be read ({error.strerror or error}). Expected a file that you may read: check whose it is, and "
        "the disk, and run the same command again."
    )


def write_file(path: Path, data: bytes, *, make_folder: bool = True) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path, make_folder=make_folder) as file:
        file.write(data)


def write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], rows_in_group: int | None = None) -> None:
    """Write tables of one schema as one parquet file, holding one in memory at a time."""
    with parquet_file(path, schema, rows_in_group) as write:
        for table in tables:
            write(table)


@contextmanager
def parquet_file(
    path: Path, schema: pa.Schema, rows_in_group: int | None = None
) -> Iterator[Callable[[pa.Table], None]]:
    """What writes a table to a parquet file, each in a row group of its own, or in several of `rows_in_group` rows."""
    with (
        whole_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated(schema)) as writer,
    ):
        yield lambda table: writer.write_table(table, rows_in_group)


def repeated(schema: pa.Schema) -> list[str]:
    """The columns of a file, by their paths, that are worth a dictionary: words that occur again and again, such as
    roles and strategies. For ids, texts and numbers, as good as never the same, it takes half of all time that
    writing takes, and the files are larger.
    """
    return [path for field in schema for path in _words_in(field.name, field)]


def _words_in(path: str, field: pa.Field) -> list[str]:
    kind = field.type
    if pa.types.is_list(kind):
        return _words_in(f"{path}.list.element", kind.value_field)
    if pa.types.is_struct(kind):
        return [one for inner in kind for one in _words_in(f"{path}.{inner.name}", inner)]
    unlike = path.endswith(("id", "key", "text", "content", "thoughts"))
    return [] if unlike or not pa.types.is_string(kind) else [path]


def _remove(path: Path) -> None:
    with suppress(OSError):  # the folder is gone or read-only: the error that matters is already on its way
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
