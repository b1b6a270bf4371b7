"""Many questions to a model behind a server: side by side, each answered or refused by itself, and when to stop.

generation.openai_client says what is tried again; the grade or verdict in an answer is read elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from generation.conversation import encodable
from generation.openai_client import Refused, ServerClient, ServerFailed
from prompts import Message
from prompts.errors import UserError
from rewards.grades import answer_of

log = logging.getLogger(__name__)

REFUSALS = 5  # in the same words, before any answer, are the server's fault and not the rows'


@dataclass(frozen=True, slots=True)
class Reply:
    """What was written, thoughts apart, or in `error` the reason why there is nothing to read."""

    written: str = ""
    error: str = ""


class AskingStopped(UserError):
    """Asking can't go on. `replies` are those to all questions: answers so far, and owed errors elsewhere."""

    def __init__(self, message: str, replies: list[Reply]) -> None:
        super().__init__(message)
        self.replies = replies


class Asking:
    """Asks one server, `concurrency` questions at a time. A server that refuses the first REFUSALS questions in the
    same words stops it, as one does that stays unusable.
    """

    def __init__(self, server: ServerClient, *, max_tokens: int = 512, concurrency: int = 16) -> None:
        self.server, self.max_tokens, self.concurrency = server, max_tokens, concurrency
        self.name = f"openai:{server.model}"
        self._answered, self._refusals = False, dict[str, int]()

    def ask(self, texts: Sequence[str]) -> list[Reply]:
        """The reply to each text, in order.

        Errors: "no_answer" (it stopped before its answer), "bad_unicode", "request_refused" (for instance because it is
        too long) or, where the server has answered nothing yet, "all_refused". Raises AskingStopped, which has
        "server_failed" where there is no answer.
        """
        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
            return thread.submit(lambda: asyncio.run(self._ask_all(texts))).result()

    async def _ask_all(self, texts: Sequence[str]) -> list[Reply]:
        replies = [Reply(error="server_failed") for _ in texts]
        places = iter(range(len(texts)))

        async with self.server.connect() as client:

            async def work() -> None:
                for place in places:
                    replies[place] = await self._ask(client, texts[place])

            workers = [asyncio.create_task(work()) for _ in range(self.concurrency)]
            done, pending = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in pending:
                worker.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        for worker in done:
            if isinstance(error := worker.exception(), ServerFailed):
                raise AskingStopped(str(error), self._owed(replies)) from error
            if error:
                raise error
        return self._owed(replies)

    def _owed(self, replies: list[Reply]) -> list[Reply]:
        """Refusals by a server that never answered anything say nothing about their rows, be they too few to stop."""
        if self._answered:
            return replies
        return [Reply(error="all_refused") if one.error == "request_refused" else one for one in replies]

    async def _ask(self, client: object, text: str) -> Reply:
        if not encodable(text):
            return Reply(error="bad_unicode")
        try:
            answer = await self.server.ask(client, [Message(role="user", content=text)], self.max_tokens)
        except Refused as refusal:
            self._count(str(refusal))
            return Reply(error="request_refused")
        self._answered = True
        written = answer_of(answer.content, answer.reasoning, answer.finish_reason)
        return Reply(error="no_answer") if written is None else Reply(written)

    def _count(self, words: str) -> None:
        """Tell a refusal once. Raises ServerFailed where all are refused alike."""
        alike = re.sub(r"\d+", "0", words)
        if alike not in self._refusals and len(self._refusals) < 20:
            log.warning("%s at %s refuses a request: %s", self.name, self.server.base_url, words)
        self._refusals[alike] = self._refusals.get(alike, 0) + 1
        if not self._answered and self._refusals[alike] >= REFUSALS:
            raise ServerFailed(
                f"judge {self.name} at {self.server.base_url} refuses every request: {words}. "
                "Check the model's name and what the server takes; nothing was scored."
            )


def check_template(template: str, placeholders: Sequence[str], what: str) -> None:
    """Raise UserError unless each placeholder occurs once."""
    for placeholder in placeholders:
        if template.count(placeholder) != 1:
            raise UserError(f"{what}: {placeholder} must occur once, found {template.count(placeholder)} times.")


def filled(template: str, values: Mapping[str, str]) -> str:
    """`template` with its placeholders replaced; texts are pasted as they are, be there placeholders in them or not."""
    return re.sub("|".join(map(re.escape, values)), lambda match: values[match[0]], template)


def conversation_text(messages: Sequence[Message]) -> str:
    """A conversation as a judge reads it."""
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)
