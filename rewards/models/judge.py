"""A language model behind an OpenAI-compatible server as the judge of a response: a score parsed from what it writes.

Needs the `openai` package, and the key in the environment variable OPENAI_API_KEY; `base_url`, else OPENAI_BASE_URL,
names another server than OpenAI's. The model is "openai:NAME". generation.openai_client says what is tried again,
rewards.asking what stops it, rewards.grades how a grade is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from generation.openai_client import DEADLINE, ServerClient
from rewards.asking import Asking, AskingStopped, Reply, check_template, conversation_text, filled
from rewards.grades import grade_of
from rewards.protocol import Group, Kind, Score, ScoringStopped

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
PLACEHOLDERS = ("{prompt}", "{response}")


class Judge:
    """A judge; scores between 1 and 10.

    `template` has the placeholders {prompt} and {response}, each once. A server that stays unusable, and one that
    refuses everything, stops the scoring: ScoringStopped carries what was scored.
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
        check_template(template, PLACEHOLDERS, "judge template")
        server = ServerClient(model, base_url=base_url, deadline=deadline, longest_pause=longest_pause)
        self.asking = Asking(server, max_tokens=max_tokens, concurrency=concurrency)
        self.name, self.template = self.asking.name, template

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response. Errors of a row: "no_score" (no grade in the answer, or one out of range), and those
        of `Asking.ask`. Raises ScoringStopped; what it carries has "server_failed" where there is no score."""
        texts = [self._request(group, response) for group in groups for response in group.responses]
        try:
            replies = self.asking.ask(texts)
        except AskingStopped as stopped:
            raise ScoringStopped(str(stopped), _scores(groups, stopped.replies)) from stopped
        return _scores(groups, replies)

    def _request(self, group: Group, response: str) -> str:
        prompt = conversation_text(group.messages)
        return filled(self.template, {"{prompt}": prompt, "{response}": response})


def _scores(groups: Sequence[Group], replies: Sequence[Reply]) -> list[list[Score]]:
    """The replies' grades in the shape of the groups."""
    left = iter(replies)
    return [[_score(next(left)) for _ in group.responses] for group in groups]


def _score(reply: Reply) -> Score:
    if reply.error:
        return Score(float("nan"), error=reply.error)
    grade = grade_of(reply.written)
    return Score(float("nan"), error="no_score") if grade is None else Score(grade)
