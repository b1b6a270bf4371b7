"""One worker of a kind on a pool at a time. The kernel frees a lock when its process dies, however it dies."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, Timeout, UnixFileLock

from evolve.pool.files import not_written
from prompts.errors import UserError


class Busy(UserError):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold `path` as a lock. Raises `Busy`, naming the holder, when another process has it."""
    try:
        lock = _lock(path, seconds=0.5)  # whoever asks `is_held` has it for an instant
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except Timeout:
        raise Busy(
            f"{what} is in use by another process ({_holder(path)}). "
            "Wait until it is done, or give this run a folder of its own with RUN=NAME."
        ) from None
    except OSError as error:
        raise not_written(path, error) from error
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock `path` at this moment."""
    if not path.exists():
        return False
    try:
        _lock(path, seconds=0).release()
    except Timeout:
        return True
    return False


def _lock(path: Path, seconds: float) -> BaseFileLock:
    """`path`, locked. It is neither emptied nor, where it is a link, followed. Raises `Timeout` and OSError."""
    lock = UnixFileLock(path, timeout=seconds, is_singleton=False)
    lock.acquire(poll_interval=0.1)
    return lock


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "unknown"
    except OSError:
        return "unknown"
