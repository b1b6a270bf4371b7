"""What judges behind an OpenAI-compatible server share: many questions at once, what was written in answer to each.

Needs the `openai` package, and the key in the environment variable OPENAI_API_KEY; `base_url`, else OPENAI_BASE_URL,
names another server than OpenAI's. generation.openai_client says what is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from generation.conversation import encodable
from generation.openai_client import DEADLINE, Refused, ServerClient, ServerFailed
from prompts import Message
from prompts.errors import UserError
from rewards.grades import answer_of

log = logging.getLogger(__name__)

REFUSALS = 5  # in the same words, before any answer, are the server's fault and not the rows'


@dataclass(frozen=True, slots=True)
class Written:
    """What a judge wrote to one question; or an error: "bad_unicode", "request_refused" (for instance because it is too
    long), "all_refused" where the server has answered nothing yet, "no_answer" (it stopped before its answer),
    "server_failed".
    """

    text: str = ""
    error: str = ""


class ServerJudge:
    """A judge that is asked by a filled template, which has each of its `placeholders` once.

    A server that stays unusable, and one that refuses the first REFUSALS requests in the same words, ends the asking.
    """

    placeholders: tuple[str, ...] = ()
    varies = True  # asked again it may answer otherwise: nothing to check a batch against

    def __init__(
        self,
        model: str,
        *,
        name: str,
        template: str,
        base_url: str | None = None,
        max_tokens: int = 512,
        concurrency: int = 16,
        longest_pause: float = 30.0,
        deadline: float = DEADLINE,
    ) -> None:
        for placeholder in self.placeholders:
            if template.count(placeholder) != 1:
                raise UserError(
                    f"judge template: {placeholder} must occur once, found {template.count(placeholder)} times."
                )
        self.server = ServerClient(model, base_url=base_url, deadline=deadline, longest_pause=longest_pause)
        self.name, self.template = name, template
        self.max_tokens, self.concurrency = max_tokens, concurrency
        self._answered, self._refusals = False, dict[str, int]()

    def filled(self, messages: Sequence[Message], values: Mapping[str, str]) -> str:
        """The template with a conversation as {prompt} and with `values`; texts are pasted as they are, be
        there placeholders in them or not.
        """
        prompt = "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)
        known = {"{prompt}": prompt, **values}
        return re.sub("|".join(map(re.escape, known)), lambda match: known[match[0]], self.template)

    def ask(self, questions: Sequence[str]) -> tuple[list[Written], ServerFailed | None]:
        """What was written in answer to each question, and why the asking ended before all were answered, if it did."""
        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
            return thread.submit(lambda: asyncio.run(self._ask_all(questions))).result()

    async def _ask_all(self, questions: Sequence[str]) -> tuple[list[Written], ServerFailed | None]:
        written = [Written(error="server_failed") for _ in questions]
        places = iter(range(len(questions)))

        async with self.server.connect() as client:

            async def work() -> None:
                for i in places:
                    written[i] = await self._ask(client, questions[i])

            workers = [asyncio.create_task(work()) for _ in range(self.concurrency)]
            done, pending = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in pending:
                worker.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        for worker in done:
            if isinstance(error := worker.exception(), ServerFailed):
                return self._owed(written), error
            if error:
                raise error
        return self._owed(written), None

    def _owed(self, written: list[Written]) -> list[Written]:
        """Refusals by a server that never answered anything say nothing about their rows, be they too few to stop."""
        if self._answered:
            return written
        return [Written(error="all_refused") if one.error == "request_refused" else one for one in written]

    async def _ask(self, client: object, text: str) -> Written:
        if not encodable(text):
            return Written(error="bad_unicode")
        try:
            answer = await self.server.ask(client, [Message(role="user", content=text)], self.max_tokens)
        except Refused as refusal:
            self._count(str(refusal))
            return Written(error="request_refused")
        self._answered = True
        written = answer_of(answer.content, answer.reasoning, answer.finish_reason)
        return Written(error="no_answer") if written is None else Written(written)

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
