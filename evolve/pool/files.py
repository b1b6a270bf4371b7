"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from prompts.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that appears at `path`, synced, when the block ends, and not at all when it raises.

    Raises `UserError` when the disk is full or the folder may not be written to.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        _remove(unfinished)


def not_written(path: Path, error: OSError) -> UserError:
    """What to tell a user about a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        cause, way_out = "the disk is full", "Free some space"
    elif error.errno == errno.EFBIG:
        cause, way_out = "it would be larger than this system allows", "Raise the limit (ulimit -f)"
    else:
        cause, way_out = f"it can't be written ({error.strerror or error})", "Give a folder that you may write to"
    return UserError(f"{path}: {cause}. Everything written before is intact. {way_out} and run the same command again.")


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


def write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write tables of one schema as one parquet file, one row group each, holding one in memory at a time."""
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the folder is gone or read-only: the error that matters is already on its way
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
