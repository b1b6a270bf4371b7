"""A language model behind an OpenAI-compatible server as the judge of a response: a score parsed from what it writes.

Needs the `openai` package, and the key in the environment variable OPENAI_API_KEY; `base_url`, else OPENAI_BASE_URL,
names another server than OpenAI's. The model is "openai:NAME". generation.openai_client says what is tried again,
rewards.grades how a grade is read.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from generation.conversation import encodable
from generation.openai_client import DEADLINE, Refused, ServerClient, ServerFailed
from prompts import Message
from prompts.errors import UserError
from rewards.grades import answer_of, grade_of
from rewards.protocol import Group, Kind, Score, ScoringStopped

log = logging.getLogger(__name__)

TEMPLATE = """You grade how well an assistant answered. Weigh whether the answer does what was asked, is correct, \
complete and clear, and wastes no words. Length by itself earns nothing.

The conversation so far:
<conversation>
{prompt}
</conversation>

The answer to grade:
<answer>
{response}
</answer>

Give one or two sentences of reasons. Then, on a line of its own, the grade, from 1 (useless) to 10 (perfect):
Score: <number>"""
REFUSALS = 5  # in the same words, before any answer, are the server's fault and not the rows'


class Judge:
    """A judge; scores between 1 and 10.

    `template` has the placeholders {prompt} and {response}, each once. A server that stays unusable, and one that
    refuses the first REFUSALS requests in the same words, stops the scoring: ScoringStopped carries what was scored.
    """

    kind: Kind = "judge"
    comparable_across_prompts = True
    objective_names: tuple[str, ...] = ()

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        template: str = TEMPLATE,
        max_tokens: int = 512,
        concurrency: int = 16,
        longest_pause: float = 30.0,
        deadline: float = DEADLINE,
    ) -> None:
        for placeholder in ("{prompt}", "{response}"):
            if template.count(placeholder) != 1:
                raise UserError(
                    f"judge template: {placeholder} must occur once, found {template.count(placeholder)} times."
                )
        self.server = ServerClient(model, base_url=base_url, deadline=deadline, longest_pause=longest_pause)
        self.name, self.template = f"openai:{model}", template
        self.max_tokens, self.concurrency = max_tokens, concurrency
        self._answered, self._refusals = False, dict[str, int]()

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response. Errors of a row: "no_score" (no grade in the answer, or one out of range),
        "no_answer" (it stopped before its answer), "bad_unicode", "request_refused" (for instance because it is too
        long) or, where the server has answered nothing yet, "all_refused". Raises ScoringStopped; what it carries has
        "server_failed" where there is no score."""
        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
            return thread.submit(lambda: asyncio.run(self._score_all(groups))).result()

    async def _score_all(self, groups: Sequence[Group]) -> list[list[Score]]:
        scores = [[Score(float("nan"), error="server_failed") for _ in group.responses] for group in groups]
        places = iter([(g, n) for g, group in enumerate(groups) for n in range(len(group.responses))])

        async with self.server.connect() as client:

            async def work() -> None:
                for g, n in places:
                    scores[g][n] = await self._score(client, groups[g], groups[g].responses[n])

            workers = [asyncio.create_task(work()) for _ in range(self.concurrency)]
            done, pending = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in pending:
                worker.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        for worker in done:
            if isinstance(error := worker.exception(), ServerFailed):
                raise ScoringStopped(str(error), self._owed(scores)) from error
            if error:
                raise error
        return self._owed(scores)

    def _owed(self, scores: list[list[Score]]) -> list[list[Score]]:
        """Refusals by a server that never answered anything say nothing about their rows, be they too few to stop."""
        if self._answered:
            return scores
        owed = Score(float("nan"), error="all_refused")
        return [[owed if score.error == "request_refused" else score for score in row] for row in scores]

    async def _score(self, client: object, group: Group, response: str) -> Score:
        text = self._request(group, response)
        if not encodable(text):
            return Score(float("nan"), error="bad_unicode")
        try:
            answer = await self.server.ask(client, [Message(role="user", content=text)], self.max_tokens)
        except Refused as refusal:
            self._count(str(refusal))
            return Score(float("nan"), error="request_refused")
        self._answered = True
        written = answer_of(answer.content, answer.reasoning, answer.finish_reason)
        if written is None:
            return Score(float("nan"), error="no_answer")
        grade = grade_of(written)
        return Score(float("nan"), error="no_score") if grade is None else Score(grade)

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

    def _request(self, group: Group, response: str) -> str:
        """The filled template; texts are pasted as they are, be there placeholders in them or not."""
        prompt = "\n\n".join(f"{message['role']}: {message['content']}" for message in group.messages)
        values = {"{prompt}": prompt, "{response}": response}
        return re.sub(r"\{prompt\}|\{response\}", lambda match: values[match[0]], self.template)
