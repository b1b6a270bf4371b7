"""What every reward model offers, whatever its architecture: score a prompt's responses as a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from prompts import Message
from prompts.errors import UserError

Kind = Literal["scalar", "multi", "pairwise", "judge"]


@dataclass(frozen=True, slots=True)
class Group:
    """A prompt (messages ending with a user turn) and the responses to it that are to be scored together."""

    messages: list[Message]
    responses: list[str]


@dataclass(frozen=True, slots=True)
class Score:
    """The reward of one response.

    `score` is a finite float; `objectives` are the raw rewards in the checkpoint's order and `weights` the gating
    output (both empty for models that have none). A model that gives a distribution has the score's `quantiles`,
    ascending and evenly spaced in probability, and their standard deviation as `spread`, in units of the score.
    A response that can't be scored has `error` set to the reason, a short stable word such as "too_long", and a score
    of NaN.
    """

    score: float
    objectives: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    error: str = ""
    quantiles: tuple[float, ...] = ()
    spread: float | None = None


class ScoringStopped(UserError):
    """Scoring can't go on. `scores` has the shape of what was asked: what was scored, and owed errors elsewhere."""

    def __init__(self, message: str, scores: list[list[Score]]) -> None:
        super().__init__(message)
        self.scores = scores


@runtime_checkable
class RewardModel(Protocol):
    """A loaded reward model.

    `comparable_across_prompts` is False for pairwise models, whose scores rank the responses of one prompt only.
    """

    name: str
    kind: Kind
    comparable_across_prompts: bool
    objective_names: tuple[str, ...]

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score every response of every group; the result has the shape of the input, in the same order."""
        ...
