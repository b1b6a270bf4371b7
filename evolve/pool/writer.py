"""One thread that writes, in the order in which it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

MOST_PENDING = 8  # then who asks waits: buffers must not pile up before a slow disk


class Writer:
    """Writes in order, in the background. After a write has failed none of the later ones is done: they stand on it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pool-writer")
        self._pending: list[Future[None]] = []
        self._failed: BaseException | None = None

    def submit(self, write: Callable[[], None]) -> None:
        """Write soon. Raises what an earlier write has raised."""
        self._pending.append(self._thread.submit(self._do, write))
        while len(self._pending) > MOST_PENDING or (self._pending and self._pending[0].done()):
            self._pending.pop(0).result()

    def wait(self) -> None:
        """Wait until everything is written. Raises what a write has raised."""
        pending, self._pending = self._pending, []
        for one in pending:
            one.result()

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _do(self, write: Callable[[], None]) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            write()
        except BaseException as error:
            self._failed = error
            raise
