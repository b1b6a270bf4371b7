"""A language model behind an OpenAI-compatible server as the judge of a response: a score parsed from what it writes.

Needs the `openai` package, and the key in the environment variable OPENAI_API_KEY; OPENAI_BASE_URL names another server
than OpenAI's. The model is "openai:NAME".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prompts.errors import UserError
from rewards.protocol import Group, Kind, Score

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
SCORE = re.compile(r"^\W*Score\W*:\W*(\d+(?:\.\d+)?)\b", re.IGNORECASE | re.MULTILINE)
LOWEST, HIGHEST = 1.0, 10.0
ATTEMPTS = 6


class Judge:
    """A judge; scores between 1 and 10.

    `template` has the placeholders {prompt} and {response}, each once; the grade is the last line "Score: NUMBER" of
    the answer. Rate limits and failures of the network and the server are tried again, up to 6 times with growing
    pauses (`longest_pause` seconds at most); a server that does not answer then is a UserError, as is a refused key.
    """

    kind: Kind = "judge"
    comparable_across_prompts = True
    objective_names: tuple[str, ...] = ()

    def __init__(
        self,
        model: str,
        *,
        template: str = TEMPLATE,
        max_tokens: int = 512,
        concurrency: int = 16,
        longest_pause: float = 30.0,
    ) -> None:
        for placeholder in ("{prompt}", "{response}"):
            if template.count(placeholder) != 1:
                raise UserError(
                    f"judge template: {placeholder} must occur once, found {template.count(placeholder)} times."
                )
        self.client = _client()
        self.model, self.name, self.template = model, f"openai:{model}", template
        self.max_tokens, self.concurrency, self.longest_pause = max_tokens, concurrency, longest_pause

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response. Errors of a row: "no_score" (no grade in the answer, or one out of range),
        "request_refused" (the server would not take it, for instance because it is too long)."""
        with ThreadPoolExecutor(self.concurrency) as pool:
            jobs = [[pool.submit(self._score, group, text) for text in group.responses] for group in groups]
            return [[job.result() for job in row] for row in jobs]

    def _score(self, group: Group, response: str) -> Score:
        answer = self._ask(self._request(group, response))
        if answer is None:
            return Score(float("nan"), error="request_refused")
        grades = SCORE.findall(answer)
        if not grades or not LOWEST <= float(grades[-1]) <= HIGHEST:
            return Score(float("nan"), error="no_score")
        return Score(float(grades[-1]))

    def _request(self, group: Group, response: str) -> str:
        """The filled template; texts are pasted as they are, be there placeholders in them or not."""
        prompt = "\n\n".join(f"{message['role']}: {message['content']}" for message in group.messages)
        values = {"{prompt}": prompt, "{response}": response}
        return re.sub(r"\{prompt\}|\{response\}", lambda match: values[match[0]], self.template)

    def _ask(self, text: str) -> str | None:
        """The judge's answer; None if the server refuses this request."""
        import openai
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        passing = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)
        tries = Retrying(
            retry=retry_if_exception_type(passing),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=self.longest_pause),
            reraise=True,
        )
        message: Any = {"role": "user", "content": text}
        try:
            answer = tries(
                self.client.chat.completions.create,
                model=self.model,
                messages=[message],
                temperature=0.0,
                max_tokens=self.max_tokens,
            )
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            return None
        except openai.APIError as error:
            raise UserError(
                f"judge {self.name} at {self.client.base_url}: {type(error).__name__}: {error}. "
                "Check the server, the model's name and OPENAI_API_KEY; scores up to here are kept."
            ) from error
        return answer.choices[0].message.content or ""


def _client() -> Any:
    try:
        import openai
    except ImportError as error:
        raise UserError("A judge needs the openai package: pip install openai.") from error
    try:
        return openai.OpenAI(max_retries=0)  # tenacity tries again, by one rule
    except openai.OpenAIError as error:
        raise UserError("A judge needs the key of its server in the environment variable OPENAI_API_KEY.") from error
