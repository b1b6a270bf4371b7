"""Time and work of the stages of an invocation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evolve.watch.tally import Tally


@dataclass
class Stage:
    """Time and work of one stage of this invocation."""

    seconds: float = 0.0
    tokens: int = 0  # sampled
    scored: int = 0  # responses


class Stages(dict[str, Stage]):
    """The stages of an invocation by name, in the order in which they began."""

    @contextmanager
    def timed(self, name: str, tally: Tally) -> Iterator[None]:
        """Add the block's time, and the work that `tally` counts meanwhile, to the stage `name`."""
        stage = self.setdefault(name, Stage())
        started, tokens, scored = time.monotonic(), tally.tokens, tally.scored
        try:
            yield
        finally:
            stage.seconds += time.monotonic() - started
            stage.tokens += tally.tokens - tokens
            stage.scored += tally.scored - scored
