"""The reference worker: finds the responses that lack a reference model's log-probability, forces them, appends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.recipe.identity import FORCED, Maker
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from generation.logprobs import Asked, Forced, Forcing, Said
from prompts.reasons import OWED, is_owed

log = logging.getLogger(__name__)

RESPONSES_PER_CALL = 160  # so that a crash costs seconds, and progress shows
COLUMNS = ["id", "prompt_id", "text", "thoughts", "finish_reason", "n_tokens", "token_ids", "error"]
NUMBERS = ["logp", "n_tokens"]


def refer_missing(
    pool: Pool,
    sampler: Maker,
    reference: Maker,
    n: int,
    wanted: Collection[str],
    load: Callable[[], Forcing],
    tally: Tally,
) -> int:
    """Log-probabilities by the reference model of the first n responses to the prompts `wanted` that lack one; returns
    how many were computed. Raises `Busy` if another worker is at it.
    """
    with pool.referring(reference.id):
        ids = unreferred(pool, sampler.id, reference.id, n, wanted)
        if not len(ids):
            return 0
        forcing = load()
        about = {"reference": reference.model, "engine_description": forcing.description}
        pool.describe("reference", reference.id, reference.settings | about)
        tally.passed, tally.total = 0, len(ids)
        try:
            with progress(tally, "reference"):
                for identities, found in forced(pool, sampler, ids, forcing):
                    pool.logprobs(reference.id).append(map(_row, identities, found))
                    errors = [one.error for one in found if one.error]
                    tally.dropped.update(errors)
                    tally.owed.update(error for error in errors if is_owed(error))
                    tally.passed += len(found)
                    tally.worked += len(found)
                    tally.referred += len(found)
        finally:
            pool.flush()
        return len(ids)


def unreferred(pool: Pool, sampler_id: str, reference_id: str, n: int, wanted: Collection[str]) -> np.ndarray:
    """Ids (bytes) of the responses that lack a log-probability by the reference model, a prompt's side by side."""
    there = []
    for part in pool.logprobs(reference_id).scan(["response_id", "error"]):
        final = part.filter(pc.invert(pc.is_in(part["error"], value_set=pa.array(OWED, pa.string()))))
        there.append(np.array(final["response_id"].to_pylist(), "S24"))
    ids, prompts = [np.empty(0, "S24")], [np.empty(0, "S24")]
    for part in pool.responses(sampler_id).scan(["id", "prompt_id", "sample_index", "error"]):
        is_read = pc.and_(pc.greater_equal(part["sample_index"], 0), pc.less(part["sample_index"], n))
        part = part.filter(pc.and_(is_read, pc.is_null(part["error"])))
        ids.append(np.array(part["id"].to_pylist(), "S24"))
        prompts.append(np.array(part["prompt_id"].to_pylist(), "S24"))
    all_ids, all_prompts = np.concatenate(ids), np.concatenate(prompts)
    missing = np.isin(all_prompts, np.array(list(wanted), "S24"))
    missing &= ~np.isin(all_ids, np.concatenate([np.empty(0, "S24"), *there]))
    _, first, inverse = np.unique(all_prompts, return_index=True, return_inverse=True)
    order = np.argsort(first[inverse], kind="stable")
    found: np.ndarray = all_ids[order][missing[order]]
    return found


def forced(pool: Pool, sampler: Maker, ids: np.ndarray, forcing: Forcing) -> Iterator[tuple[list[str], list[Forced]]]:
    """What a model says of the responses `ids`, some of them at a time."""
    responses, prompts = Lookup(pool.responses(sampler.id), "id"), Lookup(pool.prompts, "id")
    is_given = sampler.settings.get("method") == FORCED
    for start in range(0, len(ids), RESPONSES_PER_CALL):
        identities = [identity.decode() for identity in ids[start : start + RESPONSES_PER_CALL]]
        rows = responses.fetch(identities, COLUMNS).to_pylist()
        groups = [(one, list(of_prompt)) for one, of_prompt in groupby(rows, key=lambda row: row["prompt_id"])]
        messages = prompts.fetch([one for one, _ in groups], ["messages"])["messages"].to_pylist()
        asked = [
            Asked(asked_for, [_said(row, is_given) for row in of_prompt])
            for asked_for, (_, of_prompt) in zip(messages, groups, strict=True)
        ]
        yield identities, [one for of_prompt in forcing.force(asked) for one in of_prompt]


def _said(row: dict[str, Any], is_given: bool) -> Said:
    """A response of the pool. One that was sampled is closed if the policy closed it; one that was given and cut to the
    policy's context is cut at the same token.
    """
    ended = row["finish_reason"] == "stop"
    kept = () if is_given else tuple(row["token_ids"] or ())
    return Said(row["text"], ended, not is_given, row["thoughts"], kept, row["n_tokens"])


def agreement(pool: Pool, sampler: Maker, ids: np.ndarray, forcing: Forcing) -> dict[str, Any]:
    """How well the policy's own teacher-forced log-probabilities agree with those that it was sampled with: largest and
    mean difference (nats, sums over a response) of the responses whose text becomes as many tokens again.
    """
    stored = Lookup(pool.responses(sampler.id), "id")
    differences, other = [], 0
    for identities, found in forced(pool, sampler, ids, forcing):
        rows = stored.fetch(identities, NUMBERS).to_pylist()
        for row, one in zip(rows, found, strict=True):
            if one.error or one.note or one.n_tokens != row["n_tokens"]:
                other += 1
            else:
                differences.append(abs(one.logp - row["logp"]))
    return {
        "responses": len(differences) + other,
        "other_tokens": other,
        "largest": max(differences, default=None),
        "mean": sum(differences) / len(differences) if differences else None,
    }


def _row(identity: str, one: Forced) -> dict[str, Any]:
    return {
        "response_id": identity,
        "logp": None if one.error else one.logp,
        "n_tokens": one.n_tokens,
        "thought_logp": None if one.error else one.thought_logp,
        "note": one.note or None,
        "error": one.error or None,
    }
