"""An engine that is started again when it dies; only the unfinished requests are sent again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import tenacity

from generation.engine import Completion, Engine, EngineDied, Request
from prompts.errors import UserError

log = logging.getLogger(__name__)


class RestartingEngine:
    """Wraps an engine. Each request survives `attempts - 1` deaths; then the run ends with a clear error.

    A bound per request, not per run: a machine that loses an engine once a day may run for a month, while a request
    that kills every engine it meets ends the run after `attempts` deaths.
    """

    def __init__(self, engine: Engine, attempts: int = 4, wait_seconds: float = 1.0) -> None:
        self._engine = engine
        self._attempts = attempts
        self._wait = wait_seconds
        self._lives = 0
        self._restarting = asyncio.Lock()

    @property
    def context_length(self) -> int:
        return self._engine.context_length

    @property
    def description(self) -> dict[str, Any]:
        return self._engine.description

    @property
    def restarts(self) -> int:
        """How often the engine has been started again."""
        return self._lives

    async def start(self) -> None:
        await self._engine.start()

    async def close(self) -> None:
        await self._engine.close()

    async def complete(self, request: Request) -> list[Completion]:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(EngineDied),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_exponential(multiplier=self._wait, max=30),
        )
        try:
            async for attempt in retrying:
                with attempt:
                    life = self._lives
                    try:
                        return await self._engine.complete(request)
                    except EngineDied:
                        await self._restart(life)
                        raise
        except tenacity.RetryError as error:
            raise UserError(
                f"The engine died {self._attempts} times on the same requests: {error.last_attempt.exception()}. "
                "What was finished is on disk. Look at the engine's own log above (out of memory is the usual cause: "
                "lower policy.engine.gpu_memory_utilization or policy.engine.max_num_seqs, which make no new rows), "
                "then run the same command again."
            ) from error
        raise AssertionError("unreachable: the loop returns or raises")

    async def _restart(self, life: int) -> None:
        """One of the requests that saw the death restarts the engine; the others find it alive."""
        async with self._restarting:
            if self._lives != life:
                return
            log.warning("The engine died; starting it again. Finished rows are safe.")
            await self._engine.close()
            await self._engine.start()
            self._lives += 1
