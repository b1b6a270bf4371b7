"""One client for servers that speak OpenAI's protocol: one address, one retry rule, one deadline, nothing secret told.

The address is the argument, else OPENAI_BASE_URL, else OpenAI's own; the key is in OPENAI_API_KEY. The judge asks by
`ServerClient.ask`; generation.hosts asks several servers by the same rules (generation.tries).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from generation.tries import pause_as_told
from prompts import Message
from prompts.display import redacted
from prompts.errors import UserError

OPENAI = "https://api.openai.com/v1"
ATTEMPTS = 6
DEADLINE = 180.0  # seconds of one try: 512 tokens at 3 a second, slower than any server that is of use
SHOWN = 300  # characters of a server's words
PORTS = {"http": 80, "https": 443}
_REFUSED = (
    "unsupported|not (?:support|permit|allow|accept)|only|must|invalid|deprecated|extra|un(?:known|recog|expected)"
)
_NO_TEMPERATURE = re.compile(rf"(?is)\btemperature\b.{{0,120}}(?:{_REFUSED})|(?:{_REFUSED}).{{0,120}}\btemperature\b")

log = logging.getLogger(__name__)


class Refused(Exception):
    """The server takes no such request; the message is its own words, safe to print."""


class ServerFailed(UserError):
    """The server does not answer as it should, whatever is asked."""


class _Malformed(Exception):
    """An answer with status 200 that is no chat completion."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server wrote: its content, what it reasoned apart from that, and why it stopped."""

    content: str
    reasoning: str = ""
    finish_reason: str = "stop"


def normalised_base_url(text: str | None = None) -> str:
    """The address that stands for a server: host in lower case, no default port, trailing slash, credentials or query.

    Nothing given is OPENAI_BASE_URL, else OpenAI's own. Raises UserError for what is no http address.
    """
    given = (text or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip()
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in PORTS or not host:
        raise UserError("The base URL of a server is no address: expected one such as http://127.0.0.1:8000/v1.")
    host = f"[{host}]" if ":" in host else host
    shown = host if port in (None, PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{shown}{re.sub('/+', '/', parts.path).rstrip('/')}"


class ServerClient:
    """Asks one model of one server. Failures of network and server, rate limits and answers that are no completion
    are tried again, ATTEMPTS times in all, with growing pauses of `longest_pause` seconds at most; each try has
    `deadline` seconds.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        deadline: float = DEADLINE,
        longest_pause: float = 30.0,
        key: str | None = None,
    ) -> None:
        """`key` in the place of OPENAI_API_KEY, for a server that is not to see that one."""
        self.base_url = normalised_base_url(base_url)
        given = urlsplit((base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip())
        self._address = given._replace(query="", fragment="").geturl()
        self._key = key or os.environ.get("OPENAI_API_KEY", "")
        secrets = [self._key, given.password, given.username, given.query]
        self._secrets = sorted({s for one in secrets if one for s in (one, unquote(one))}, key=len, reverse=True)
        self.model, self.deadline, self.longest_pause = model, deadline, longest_pause
        self._limit_key, self._temperature = "max_tokens", True
        self.connect()  # what is missing is said before work begins

    def connect(self) -> Any:
        """A client of the openai package, to be made and closed within one event loop."""
        try:
            import openai
        except ImportError as error:
            raise UserError("A judge needs the openai package: pip install openai.") from error
        if not self._key:
            raise UserError("A judge needs the key of its server in the environment variable OPENAI_API_KEY.")
        return openai.AsyncOpenAI(api_key=self._key, base_url=self._address, max_retries=0, timeout=self.deadline)

    async def ask(self, client: Any, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The server's answer. Raises Refused for this request, ServerFailed for a server that can't be used."""
        import openai
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

        passing = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)
        tries = AsyncRetrying(
            retry=retry_if_exception_type((*passing, TimeoutError, _Malformed)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=pause_as_told(self.longest_pause),
            reraise=True,
        )
        try:
            return await tries(self._once, client, messages, max_tokens)
        except TimeoutError as error:
            raise self._failed(f"no answer within {self.deadline:g} s, {ATTEMPTS} times") from error
        except _Malformed as error:
            raise self._failed(f"an answer that is no chat completion: {self.shown(str(error))}") from error
        except openai.APIStatusError as error:
            words = self.words(error)
            if error.status_code in (400, 413, 422):
                raise Refused(words) from error
            raise self._failed(f"status {error.status_code}: {words}") from error
        except openai.APIError as error:
            raise self._failed(f"{type(error).__name__}: {self.shown(str(error))}") from error

    async def _once(self, client: Any, messages: Sequence[Message], max_tokens: int) -> Answer:
        import openai

        while True:
            options: dict[str, Any] = {self._limit_key: max_tokens}
            if self._temperature:
                options["temperature"] = 0.0
            try:
                create = client.chat.completions.with_raw_response.create
                async with asyncio.timeout(self.deadline):
                    raw = await create(model=self.model, messages=list(messages), **options)
                return _parse(raw.http_response.text)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._adapts(_words(error), options):
                    raise

    def _adapts(self, words: str, sent: dict[str, Any]) -> bool:
        """Whether the refusal was of an option that is now said otherwise: newer servers want max_completion_tokens,
        and some take no temperature, which is then left out for good and said once.
        """
        if "max_tokens" in sent and "max_completion_tokens" in words:
            self._limit_key = "max_completion_tokens"
            return True
        if "temperature" in sent and _NO_TEMPERATURE.search(words):
            if self._temperature:
                log.warning(
                    "%s at %s takes no temperature: it is asked without, and may grade a text differently each time.",
                    self.model,
                    self.base_url,
                )
            self._temperature = False
            return True
        return False

    def shown(self, text: str) -> str:
        """`text` on one line, short, with control characters written out and without secrets."""
        for secret in self._secrets:
            if len(secret) > 3:
                text = text.replace(secret, "[secret]")
        text = re.sub(r"\b(sk|key)-[\w*.-]{4,}", "[secret]", text)
        text = str(redacted(text))
        text = text if len(text) <= SHOWN else text[:SHOWN] + "..."
        return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)

    def words(self, error: Any) -> str:
        """What the server itself said of an error, as `shown`."""
        return self.shown(_words(error))

    def _failed(self, what: str) -> ServerFailed:
        return ServerFailed(
            f"judge openai:{self.model} at {self.base_url}: {what.rstrip('.')}. "
            "Check the server, the model's name and OPENAI_API_KEY; scores up to here are kept."
        )


def _words(error: Any) -> str:
    """What the server itself said of an error."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message") if isinstance(inner, dict) else inner
        if isinstance(said, str) and said:
            return said
    return str(error.response.text or error)


def _parse(text: str) -> Answer:
    """The first choice of a chat completion. Content as parts is their text. Raises _Malformed."""
    try:
        choice = json.loads(text)["choices"][0]
        message = choice["message"]
        content, reasoning = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
        if isinstance(content, list):
            content = "".join(p["text"] for p in content if p.get("type") in ("text", "output_text"))
        if content is not None and not isinstance(content, str):
            raise TypeError
        finish = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _Malformed(text) from None
    return Answer(content or "", reasoning if isinstance(reasoning, str) else "", str(finish or "stop"))
