"""A reward model that reads nothing: a score from the hash of the text. For tests, dry runs and overhead
measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

from generation.conversation import encodable
from prompts import content_id
from rewards.protocol import Group, Kind, Score

LARGEST = 16**24 - 1  # of the 24 hexadecimal digits of a content id


class FakeRewardModel:
    """Scores between 0 and 1, spread evenly, each a function of seed, prompt and response alone."""

    name = "fake"
    kind: Kind = "scalar"
    comparable_across_prompts = True
    objective_names: tuple[str, ...] = ()

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """A score for every response of every group."""
        return [[self._score(group, text) for text in group.responses] for group in groups]

    def _score(self, group: Group, text: str) -> Score:
        if not encodable(text):
            return Score(float("nan"), error="bad_unicode")
        prompt = [[message["role"], message["content"]] for message in group.messages]
        return Score(int(content_id("fake reward", self.seed, prompt, text), 16) / LARGEST)
