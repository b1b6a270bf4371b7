"""A language model behind a server that compares two responses, on a scale from 1 to 6. The model is "pairs:NAME".

1 says that the first response is much better, 6 that the second is; there is no middle, so a verdict has a side. Judges
favour a place: both orders of every two responses are asked about, n (n - 1) questions a prompt, and two responses are
compared only where both were answered. With v_ij the verdict on i before j,

    C_ij = (v_ji - v_ij) / 5, from -1 to 1         score_i = mean over the compared j of C_ij

Such a score ranks the responses of one prompt; it does not compare across prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from rewards.protocol import Group, Kind, Score, ScoringStopped
from rewards.server_judge import ServerJudge, Written

TEMPLATE = """You compare two answers of an assistant. Weigh which one does better what was asked, is correct, \
complete and clear, and wastes no words. Length by itself earns nothing, nor does coming first.

The conversation so far:
<conversation>
{prompt}
</conversation>

<answer-1>
{first}
</answer-1>

<answer-2>
{second}
</answer-2>

Give one or two sentences of reasons. Then, on a line of its own, your ranking: 1 (answer 1 is much better), 2 \
(better), 3 (slightly better), 4 (answer 2 is slightly better), 5 (better) or 6 (much better):
Ranking: <number>"""
_MARKUP = r"[\s*_`\"'#~<>\[\]()]{0,12}"
_RANKING = re.compile(rf"\branking{_MARKUP}[:=]{_MARKUP}([+\-]?\d{{1,9}}(?:[.,/]\d)?)(?!\w)", re.IGNORECASE)


class PairJudge(ServerJudge):
    """A judge that compares; scores from -1 to 1, relative to the other responses of the group."""

    kind: Kind = "pairwise"
    comparable_across_prompts = False
    objective_names: tuple[str, ...] = ()
    placeholders = ("{prompt}", "{first}", "{second}")

    def __init__(self, model: str, *, template: str = TEMPLATE, **how: Any) -> None:
        super().__init__(model, name=f"pairs:{model}", template=template, **how)

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response against the others of its group. Errors of a row that could be compared with none:
        "no_comparison" where there is no other, "no_score" (no verdict from 1 to 6), and those of
        rewards.server_judge.Written. Raises ScoringStopped; groups that were not asked about to the end have
        "server_failed" throughout.
        """
        questions = [
            self.filled(group.messages, {"{first}": first, "{second}": second})
            for group in groups
            for first, second in permutations(group.responses, 2)
        ]
        written, stopped = self.ask(questions)
        answers = iter(written)
        scores = []
        for group in groups:
            n = len(group.responses)
            scores.append(_scores({pair: next(answers) for pair in permutations(range(n), 2)}, n))
        if stopped:
            raise ScoringStopped(str(stopped), scores) from stopped
        return scores


def ranking_of(text: str) -> int | None:
    """The last ranking in what a judge wrote, 1 to 6; None for none, or one out of range."""
    found = _RANKING.findall(unicodedata.normalize("NFKC", text))
    return int(found[-1]) if found and found[-1] in set("123456") else None


def _scores(answers: dict[tuple[int, int], Written], n: int) -> list[Score]:
    if any(one.error == "server_failed" for one in answers.values()):
        return [Score(float("nan"), error="server_failed") for _ in range(n)]  # owed, all of them: compared as a group
    verdicts = {pair: None if one.error else ranking_of(one.text) for pair, one in answers.items()}
    scores = []
    for i in range(n):
        margins = []
        for j in range(n):
            before, after = verdicts.get((i, j)), verdicts.get((j, i))
            if before is not None and after is not None:
                margins.append((after - before) / 5)
        if margins:
            scores.append(Score(sum(margins) / len(margins)))
        else:
            errors = [one.error for pair, one in answers.items() if i in pair and one.error]
            scores.append(Score(float("nan"), error=errors[0] if errors else "no_score" if n > 1 else "no_comparison"))
    return scores
