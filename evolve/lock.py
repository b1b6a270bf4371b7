"""One worker of a kind on a pool at a time. The kernel frees a lock when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
