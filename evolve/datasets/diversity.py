"""How varied a dataset is: whose rewrites its prompts are, and how often its words repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from evolve.datasets.train import Origins, Texts
from evolve.pool.ids import distinct as distinct_ids
from evolve.pool.ids import ids_of
from evolve.views.contamination import Contamination
from evolve.views.pairs import Pairs
from prompts.diversity import distinct
from prompts.overlap import THRESHOLD, N

READ = 1_000
"""Pairs whose texts are read for distinct-n: enough to tell sets apart, as many for every set, and little time."""


def diversity_of(pairs: Pairs, origins: Origins, texts: Texts) -> dict[str, Any]:
    """Pairs, different prompts and different parents (an initial prompt is its own), and distinct-1, -2 and -3 of the
    last user turns and of the chosen responses, over the READ pairs whose chosen responses' ids come first
    (`read` of them).
    """
    prompt_ids = pairs.rows["prompt_id"]
    parents = ids_of(origins.of(prompt_ids)["parent_id"])
    parents = np.where(parents == b"", prompt_ids, parents)
    first = _first(pairs.rows["chosen_id"], READ)
    asked = texts.prompts.fetch(prompt_ids[first], ["messages"])["messages"].to_pylist()
    said = texts.responses.fetch(pairs.rows["chosen_id"][first], ["text"])["text"].to_pylist()
    return {
        "pairs": len(pairs),
        "prompts": len(distinct_ids(prompt_ids)[0]),
        "parents": len(distinct_ids(parents)[0]),
        "read": len(first),
        "distinct_of_prompts": distinct(messages[-1]["content"] for messages in asked),
        "distinct_of_chosen": distinct(said),
    }


def _first(ids: np.ndarray, n: int) -> np.ndarray:
    """The places of the `n` ids that come first, or of all, ascending: a sample, since ids are hashes."""
    if len(ids) <= n:
        return np.arange(len(ids))
    keys = np.ascontiguousarray(ids).view(">u8").reshape(len(ids), -1)[:, 0].astype(np.uint64)
    found: np.ndarray = np.sort(np.argpartition(keys, n - 1)[:n])
    return found


def held_against(found: Contamination) -> dict[str, Any] | None:
    """What the dataset was held against; None where against nothing. The books count what left."""
    if not found.benchmarks:
        return None
    against = [{"source": one.source, "id": one.id, "prompts": len(one.index)} for one in found.benchmarks]
    return {"against": against, "ngram": N, "threshold": THRESHOLD}


def diversity_told(found: dict[str, Any]) -> str:
    """A line: pairs, prompts, parents, distinct-n."""
    shares = "; ".join(
        f"distinct-{'/'.join(shown)} of {what} {' '.join('-' if x is None else f'{x:.2f}' for x in shown.values())}"
        for what in ("prompts", "chosen")
        for shown in (found[f"distinct_of_{what}"],)
    )
    return f"{found['prompts']:,} prompts of {found['parents']:,} parents; {shares}"
