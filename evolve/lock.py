"""One worker of a kind on a pool at a time. The kernel frees a lock when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from evolve.files import not_written
from prompts.errors import UserError


class Busy(UserError):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold `path` as a lock. Raises `Busy`, naming the holder, when another process has it."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+"))
            _take(file)
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        except BlockingIOError as error:
            file.seek(0)
            raise Busy(
                f"{what} is in use by another process ({file.read().strip() or 'unknown'}). "
                "Wait until it is done, or give this run a folder of its own with RUN=NAME."
            ) from error
        except OSError as error:
            raise not_written(path, error) from error
        yield


def is_held(path: Path) -> bool:
    """Whether some process holds the lock `path` at this moment."""
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _take(file: IO[str]) -> None:
    """Lock `file`, or raise BlockingIOError. Tried for half a second: whoever asks `is_held` has it for an instant."""
    for _ in range(5):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
