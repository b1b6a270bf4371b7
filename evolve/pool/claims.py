"""What the pool has for one sampler, and who takes what it lacks. Keys in memory, never text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.ids import ID, id_array, linked
from evolve.pool.pool import Pool
from prompts import RewriteTemplate, content_id
from prompts.reasons import OWED

NOT_SAMPLED = -1  # every bit set: the prompt was refused, nothing of it is missing


def rewrite_key(parent_id: str, template: RewriteTemplate, sampler_id: str, index: int) -> str:
    """Identity of a request to rewrite: which prompt, by which wording, by whom, and the how-manieth."""
    return content_id("rewrite", parent_id, template.strategy, template.id, sampler_id, index)


def rewrite_keys(
    parents: Sequence[str], templates: Sequence[RewriteTemplate], sampler_id: str, per_strategy: int
) -> np.ndarray:
    """`rewrite_key` of all that is asked of `parents`, in order of parent, template and number; as array of ids."""
    width = len(templates) * per_strategy
    ids, keys = id_array(parents), np.empty((len(parents), width), ID)
    for i, template in enumerate(templates):
        for number in range(per_strategy):
            also = (template.strategy, template.id, sampler_id, number)
            keys[:, i * per_strategy + number] = linked("rewrite", ids, also=also)
    return keys.ravel()


def initial_key(prompt_id: str) -> str:
    """Identity of a prompt of X in the prompts table."""
    return content_id("initial", prompt_id)


def _is_owed(reasons: pa.ChunkedArray) -> pa.ChunkedArray:
    """Of reasons (null where there is none) which say that a machine failed: what left with them is missing."""
    return pc.is_in(reasons, value_set=pa.array(OWED, pa.string()))


class Claims:
    """Keys of the pool's rows: about 110 bytes for a sampled prompt and 90 for a rewrite, whatever their texts.

    `claim_*` answer what is missing and take it at once, so that the same thing is never asked for twice, be it that
    two parents have the same rewrite.
    """

    def __init__(self, pool: Pool, sampler_id: str) -> None:
        self.sampler_id = sampler_id
        self._sampled: dict[bytes, int] = {}  # prompt id -> bit i set if sample i is there
        self._keys: set[bytes] = set()
        for part in pool.prompts.scan(["key", "verdict"]):
            part = part.filter(pc.invert(_is_owed(part["verdict"])))
            self._keys.update(bytes.fromhex(key) for key in part["key"].to_pylist())
        for part in pool.responses(sampler_id).scan(["prompt_id", "sample_index", "error"]):
            part = part.filter(pc.invert(_is_owed(part["error"])))
            for prompt, i in zip(part["prompt_id"].to_pylist(), part["sample_index"].to_pylist(), strict=True):
                self._add(bytes.fromhex(prompt), i)

    def _add(self, prompt: bytes, sample_index: int) -> None:
        bits = NOT_SAMPLED if sample_index < 0 else 1 << sample_index
        self._sampled[prompt] = self._sampled.get(prompt, 0) | bits

    def lacks_samples(self, prompt_id: str, n: int) -> bool:
        everything = (1 << n) - 1
        return self._sampled.get(bytes.fromhex(prompt_id), 0) & everything != everything

    def claim_samples(self, prompt_id: str, n: int) -> tuple[int, ...]:
        """The missing sample indices below n, ascending."""
        prompt = bytes.fromhex(prompt_id)
        there = self._sampled.get(prompt, 0)
        self._sampled[prompt] = there | ((1 << n) - 1)
        return tuple(i for i in range(n) if not there >> i & 1)

    def has(self, key: str) -> bool:
        return bytes.fromhex(key) in self._keys

    def claim(self, key: str) -> bool:
        """True, once, if no row has this key."""
        raw = bytes.fromhex(key)
        if raw in self._keys:
            return False
        self._keys.add(raw)
        return True
