"""The guard's checks that look at texts, and the bounds on lengths: which pairs of D and D' stay."""

from __future__ import annotations

from collections import Counter

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.recipe.selection import Selection
from evolve.views.pairs import CHUNK, Pairs, without_near_identical
from selection.guard import refused, same_after_truncation
from selection.lengths import too_different


def guarded(pairs: Pairs, texts: Lookup, rule: Selection) -> Pairs:
    """Without the pairs that the recipe's checks turn away, each counted by its reason; the first that holds counts."""
    pairs = _within_lengths(pairs, rule)
    if "near_identical" in rule.checks:
        pairs = without_near_identical(pairs, texts)
    if "refusal" in rule.checks or rule.trainer_tokens is not None:
        pairs = _read(pairs, texts, rule)
    return pairs


def _within_lengths(pairs: Pairs, rule: Selection) -> Pairs:
    lengths = pairs.rows["n_tokens_chosen"], pairs.rows["n_tokens_rejected"]
    by_tokens, by_ratio = too_different(*lengths, rule.max_token_difference, rule.max_token_ratio)
    why = {"length_difference": by_tokens, "length_ratio_of_pair": by_ratio & ~by_tokens}
    return _without(pairs, {reason: mask for reason, mask in why.items() if mask.any()})


def _read(pairs: Pairs, texts: Lookup, rule: Selection) -> Pairs:
    """The checks refusal and truncation, which need texts: looked up in chunks."""
    declined, same = np.zeros(len(pairs), dtype=bool), np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), CHUNK):
        part = pairs.take(range(start, min(start + CHUNK, len(pairs))))
        chosen, rejected = (
            texts.fetch(part.column(f"{side}_id"), ["text", "token_ids"]).to_pylist() for side in ("chosen", "rejected")
        )
        for i, (good, bad) in enumerate(zip(chosen, rejected, strict=True)):
            if "refusal" in rule.checks:
                declined[start + i] = refused(good["text"])
            if rule.trainer_tokens is not None:
                ids = (good["token_ids"], bad["token_ids"]) if good["token_ids"] and bad["token_ids"] else None
                n = int(part.rows["n_tokens_chosen"][i]), int(part.rows["n_tokens_rejected"][i])
                same[start + i] = same_after_truncation(good["text"], bad["text"], n, rule.trainer_tokens, ids)
    why = {"refused": declined, "same_after_truncation": same & ~declined}
    return _without(pairs, {reason: mask for reason, mask in why.items() if mask.any()})


def _without(pairs: Pairs, why: dict[str, np.ndarray]) -> Pairs:
    """Without those that a mask names, counted by its reason. The masks do not overlap."""
    if not why:
        return pairs
    keep = np.flatnonzero(~np.logical_or.reduce(list(why.values())))
    return Pairs(
        pairs.rows[keep], pairs.n_in, pairs.dropped + Counter({name: int(mask.sum()) for name, mask in why.items()})
    )
