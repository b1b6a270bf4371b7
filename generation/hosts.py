"""Several servers that run the same model: a request goes to the least busy one, and from one that fails to the others.

What a failure says, and about whom:

- refused (400, 413, 422): about the request. It is not sent again.
- no connection, 429, 503: about the server. It rests, for as long as it asked for, and the request goes elsewhere.
- a dropped connection, another 5xx, no answer in time, an answer that is none: about either. The request is sent again,
  elsewhere where there is an elsewhere. After ATTEMPTS of them a server is asked a known prompt: where it answers that,
  the fault is the request's.
- 401, 403, 404, another model's name: about how the server was set up. It is asked no more.

Where nothing has been answered for `patience` seconds the work ends; what was finished is kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from generation.engine import EngineFailed, RequestDeadly, RequestRefused
from generation.openai_client import ATTEMPTS, ServerClient, ServerFailed
from generation.tries import pause_as_told, retry_after

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
FAILURES = 3  # in a row, and a server is sent one request at a time until it answers
PATIENCE = 300.0  # seconds: a server that is started again takes a minute or two
REFUSALS, MISFITS, BUSY = (400, 413, 422), (401, 403, 404), (429, 503)


class Malformed(Exception):
    """An answer with status 200 that is none."""


class Misfit(Exception):
    """A server that is not the one that was meant, such as another model's."""


class _Again(Exception):
    """The request is to be sent once more; `response` is what the server said, if it said something."""

    def __init__(self, response: object) -> None:
        super().__init__()
        self.response = response


@dataclass
class _Asked:
    """One request: when it was first sent, how often it failed where the fault may be its own, and whether by time."""

    begun: float
    failures: int = 0
    late: bool = False
    last: str = ""


class Host:
    """One server, and how it is; `abilities` are None until it has been looked at, and after it was away."""

    def __init__(self, url: str, model: str, key: str, deadline: float) -> None:
        self.server = ServerClient(model, base_url=url, deadline=deadline, key=key or "none")
        self.deadline = deadline
        self.client: Any = None
        self.in_flight = self.failures = 0
        self.rests_until = 0.0
        self.abilities: Any = None
        self.misfit = ""

    def is_free(self, now: float) -> bool:
        on_trial = self.failures >= FAILURES or self.abilities is None
        return not self.misfit and now >= self.rests_until and not (on_trial and self.in_flight)

    async def answer(self, request: Awaitable[Any]) -> str:
        """The text of an answer. Raises what the openai package raises, and TimeoutError."""
        async with asyncio.timeout(self.deadline):
            return str((await request).http_response.text)

    def rest(self, seconds: float, *, away: bool) -> None:
        if away and self.failures < FAILURES:
            log.warning("The server at %s does not answer. Its requests go to others.", self.server.base_url)
        if away:
            self.failures, self.abilities = max(self.failures, FAILURES), None  # it may come back as another
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)


class Hosts:
    """Asks them. `prepare(host)` asks a server the known prompt and sets its `abilities`; raises as a request does."""

    def __init__(
        self,
        hosts: Sequence[Host],
        prepare: Callable[[Host], Awaitable[None]],
        *,
        patience: float = PATIENCE,
        longest_pause: float = 30.0,
    ) -> None:
        self.hosts, self._prepare, self._patience = list(hosts), prepare, patience
        self._longest_pause, self._growing = longest_pause, pause_as_told(longest_pause)
        self._answered = 0.0
        self._last = "none was reached"

    async def __aenter__(self) -> Hosts:
        for host in self.hosts:
            host.client = host.server.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        for host in self.hosts:
            if host.client is not None:
                await host.client.close()
            host.client = host.abilities = None

    async def look_at_all(self) -> None:
        """Prepare every server that is there; wait for one where none is. Raises ServerFailed, or UserError."""

        async def nothing(_: Host) -> None:
            return None

        asked = _Asked(time.monotonic())
        for failure in await asyncio.gather(*(self._first_look(host, asked) for host in self.hosts)):
            if failure is not None:
                raise failure
        if not any(host.abilities for host in self.hosts):
            await self.ask(nothing)

    async def _first_look(self, host: Host, asked: _Asked) -> Exception | None:
        try:
            await self._prepare(host)
        except Exception as error:
            judged = self._judged(host, error, asked)
            return None if isinstance(judged, _Again) else judged
        self._answered = time.monotonic()
        return None

    async def ask(self, call: Callable[[Host], Awaitable[Answer]]) -> Answer:
        """What `call` makes of a server's answer. Raises RequestRefused, RequestDeadly or EngineFailed for this request,
        ServerFailed where no server can be used.
        """
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_never

        asked = _Asked(time.monotonic())
        tries = AsyncRetrying(retry=retry_if_exception_type(_Again), stop=stop_never, wait=self._pause)
        return await tries(self._once, call, asked)

    def _pause(self, state: Any) -> float:
        """Nothing where another server is free. One that asked to be left alone is resting, which is waited for."""
        now = time.monotonic()
        return 0.0 if any(host.is_free(now) for host in self.hosts) and len(self.hosts) > 1 else self._growing(state)

    async def _once(self, call: Callable[[Host], Awaitable[Answer]], asked: _Asked) -> Answer:
        host = await self._free(asked)
        host.in_flight += 1
        try:
            suspect = asked.failures >= ATTEMPTS
            if host.abilities is None or suspect:
                await self._prepare(host)
                host.failures, self._answered = 0, time.monotonic()
            if suspect:
                raise self._given_up(asked)
            answer = await call(host)
        except (RequestDeadly, EngineFailed, RequestRefused):
            raise
        except Exception as error:
            judged = self._judged(host, error, asked)
            if judged is error:
                raise
            raise judged from error
        finally:
            host.in_flight -= 1
        host.failures, self._answered = 0, time.monotonic()
        return answer

    async def _free(self, asked: _Asked) -> Host:
        """The least busy server that may be asked, waited for. Raises ServerFailed."""
        while True:
            now = time.monotonic()
            if all(host.misfit for host in self.hosts):
                raise ServerFailed(
                    "No server can be used: "
                    + "; ".join(f"{host.server.base_url}: {host.misfit}" for host in self.hosts)
                    + ". Check policy.servers, policy.served_model and POLICY_API_KEY; what was finished is kept."
                )
            if now - max(asked.begun, self._answered) > self._patience:
                raise ServerFailed(
                    f"No server has answered for {self._patience:g} s ({self._last}). What was finished is kept: run "
                    "the same command again when they do."
                )
            if free := [host for host in self.hosts if host.is_free(now)]:
                return min(free, key=lambda host: (host.failures, host.in_flight))
            await asyncio.sleep(min(0.05, self._longest_pause))

    def _given_up(self, asked: _Asked) -> Exception:
        what = f"{asked.failures} tries failed ({asked.last}) while the servers answer others"
        return EngineFailed(what) if asked.late else RequestDeadly(what)

    def _judged(self, host: Host, error: Exception, asked: _Asked) -> Exception:
        """What is to be raised for a failure of one try."""
        import openai

        status = error.status_code if isinstance(error, openai.APIStatusError) else 0
        said = host.server.words(error) if status else host.server.shown(str(error) or type(error).__name__)
        asked.last = self._last = f"{host.server.base_url}: {status or ''} {said}".replace("  ", " ")
        if status in REFUSALS:
            return RequestRefused(said)
        if status in MISFITS or isinstance(error, Misfit):
            host.misfit = said
            log.warning("The server at %s is asked no more: %s", host.server.base_url, said)
            return _Again(None)
        response = getattr(error, "response", None)
        told = retry_after(error)
        if status in BUSY:
            host.rest(min(1.0, self._longest_pause) if told is None else told, away=False)
        elif _never_reached(error):
            host.rest(min(2.0 ** min(host.failures, 10), self._longest_pause), away=True)
            host.failures += 1
        elif status or isinstance(error, openai.APIError | TimeoutError | Malformed):
            asked.failures, asked.late = asked.failures + 1, isinstance(error, TimeoutError)
            host.failures += 1
            host.rest(told or 0.0, away=host.failures == FAILURES)
        else:
            return error  # a fault of ours
        return _Again(response)


def _never_reached(error: Exception) -> bool:
    """Whether a request has not even arrived. The openai package says only that there was no connection."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
