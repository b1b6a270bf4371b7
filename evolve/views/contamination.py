"""Which prompts of a run repeat a benchmark's prompt: a view of the pool's messages and a benchmark's digests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.pool.table import Table
from evolve.recipe.benchmarks import Benchmark
from evolve.views.pairs import CHUNK, Pairs
from prompts.overlap import overlaps

CONTAMINATED = "contaminated"


def user_turns(prompts: Lookup, prompt_ids: Sequence[str]) -> Iterator[list[str]]:
    """What the user says in each of these prompts, texts looked up some at a time."""
    for start in range(0, len(prompt_ids), CHUNK):
        for messages in prompts.fetch(prompt_ids[start : start + CHUNK], ["messages"])["messages"].to_pylist():
            yield [turn["content"] for turn in messages if turn["role"] == "user"]


class Contamination:
    """Which prompts of a pool repeat a prompt of some benchmarks. A prompt is looked at once."""

    def __init__(self, prompts: Table, benchmarks: Sequence[Benchmark] = ()) -> None:
        self.benchmarks = benchmarks
        self._prompts = prompts
        self._known: dict[str, bool] = {}

    def of(self, prompt_ids: Sequence[str]) -> np.ndarray:
        """Whether each of these prompts does, bool (prompts,)."""
        unknown = [one for one in dict.fromkeys(prompt_ids) if one not in self._known]
        self._known |= dict.fromkeys(unknown, False)
        for benchmark in self.benchmarks if unknown else ():
            # Looked up anew: the pool may have grown.
            found = overlaps(user_turns(Lookup(self._prompts, "id"), unknown), benchmark.index)
            self._known |= {unknown[i]: True for i in np.unique(found.prompts[found.repeats]).tolist()}
        return np.array([self._known[one] for one in prompt_ids], dtype=bool)


def decontaminated(pairs: Pairs, origin: Callable[[str], tuple[str, str]], found: Contamination) -> Pairs:
    """Without the pairs whose prompt, or its parent (first in what `origin` says), repeats a benchmark's prompt."""
    if not found.benchmarks:
        return pairs
    prompt_ids = pairs.column("prompt_id")
    parents = [origin(one)[0] for one in prompt_ids]
    repeats = found.of([*prompt_ids, *parents]).reshape(2, -1).any(axis=0)
    left = Counter({CONTAMINATED: int(repeats.sum())} if repeats.any() else {})
    return Pairs(pairs.rows[~repeats], pairs.n_in, pairs.dropped + left)
