"""A language model behind an OpenAI-compatible server as the judge of a response: a score parsed from what it writes.

The model is "openai:NAME". rewards.server_judge says how a server is asked, rewards.grades how a grade is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rewards.grades import grade_of
from rewards.protocol import Group, Kind, Score, ScoringStopped
from rewards.server_judge import REFUSALS, ServerJudge

__all__ = ["REFUSALS", "TEMPLATE", "Judge"]

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


class Judge(ServerJudge):
    """A judge; scores between 1 and 10."""

    kind: Kind = "judge"
    comparable_across_prompts = True
    objective_names: tuple[str, ...] = ()
    placeholders = ("{prompt}", "{response}")

    def __init__(self, model: str, *, template: str = TEMPLATE, **how: Any) -> None:
        super().__init__(model, name=f"openai:{model}", template=template, **how)

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response. Errors of a row: "no_score" (no grade in the answer, or one out of range), and those
        of rewards.server_judge.Written. Raises ScoringStopped; what it carries has "server_failed" where there is no
        score.
        """
        questions = [self.filled(group.messages, {"{response}": text}) for group in groups for text in group.responses]
        written, stopped = self.ask(questions)
        found = iter(_score(one.text, one.error) for one in written)
        scores = [[next(found) for _ in group.responses] for group in groups]
        if stopped:
            raise ScoringStopped(str(stopped), scores) from stopped
        return scores


def _score(text: str, error: str) -> Score:
    grade = None if error else grade_of(text)
    return Score(float("nan"), error=error or "no_score") if grade is None else Score(grade)
