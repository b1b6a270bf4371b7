"""What a reference model says of the responses of pairs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from evolve.pool.pool import Pool
from evolve.views.pairs import Pairs


def with_references(pairs: Pairs, pool: Pool, reference_id: str, with_thoughts: bool = False) -> Pairs:
    """`pairs` with ref_logp_chosen and ref_logp_rejected from the pool; NaN where the reference model has said nothing.

    As log-probabilities of the policy they are of the answers, or of thoughts and answers `with_thoughts`.
    """
    ids, logp = reference_logps(pool, reference_id, with_thoughts)
    rows = pairs.rows.copy()
    for side in ("chosen", "rejected"):
        rows[f"ref_logp_{side}"] = _of(rows[f"{side}_id"], ids, logp)
    return Pairs(rows, pairs.n_in, pairs.dropped)


def reference_logps(pool: Pool, reference_id: str, with_thoughts: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Ids of responses, ascending and each once, and their log-probabilities; NaN where there is an error instead."""
    ids, values = [np.empty(0, "S24")], [np.empty(0)]
    for part in pool.logprobs(reference_id).scan(["response_id", "logp", "thought_logp"]):
        logp = part["logp"].to_numpy().astype(float)
        ids.append(np.array(part["response_id"].to_pylist(), "S24"))
        values.append(logp if with_thoughts else logp - part["thought_logp"].fill_null(0.0).to_numpy())
    unique, last = np.unique(np.concatenate(ids)[::-1], return_index=True)
    return unique, np.concatenate(values)[::-1][last]


def reference_books(pool: Pool, reference_id: str) -> tuple[Counter[str], Counter[str]]:
    """Errors of a reference model's rows, and their notes (how text and tokens disagree), counted."""
    errors: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for part in pool.logprobs(reference_id).scan(["error", "note"]):
        errors.update(error for error in part["error"].to_pylist() if error)
        notes.update(note for note in part["note"].to_pylist() if note)
    return errors, notes


def _of(wanted: np.ndarray, ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = np.full(len(wanted), np.nan)
    if len(ids):
        at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
        there = ids[at] == wanted
        found[there] = values[at[there]]
    return found
