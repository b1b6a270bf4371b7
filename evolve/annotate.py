"""The reward worker: finds the responses that lack a reward, scores them, appends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc

from evolve.grow import Tally
from evolve.lookup import Lookup
from evolve.pool import Pool
from prompts import Message
from rewards.protocol import Group, RewardModel, Score

PROMPTS_PER_CALL = 64  # so that batches can be sorted by length, and a crash costs seconds


def unscored(pool: Pool, sampler_id: str, reward_id: str, whole_groups: bool = False) -> np.ndarray:
    """Ids (bytes) of the responses without a reward, those of a prompt side by side, in the order of the pool.

    `whole_groups`: all responses of a prompt of which one lacks a reward, for models that compare responses.
    """
    scored = [
        part.filter(pc.equal(part["reward_id"], reward_id))["response_id"].to_pylist()
        for part in pool.rewards.scan(["response_id", "reward_id"])
    ]
    ids, prompts = [], []
    for part in pool.responses.scan(["id", "prompt_id", "sampler_id", "sample_index"]):
        part = part.filter(pc.and_(pc.equal(part["sampler_id"], sampler_id), pc.greater_equal(part["sample_index"], 0)))
        ids.append(np.array(part["id"].to_pylist(), "S24"))
        prompts.append(np.array(part["prompt_id"].to_pylist(), "S24"))
    if not ids:
        return np.empty(0, "S24")
    all_ids, all_prompts = np.concatenate(ids), np.concatenate(prompts)
    missing = ~np.isin(all_ids, np.array([identity for part in scored for identity in part], "S24"))
    if whole_groups:
        missing = np.isin(all_prompts, all_prompts[missing])
    # Prompts in order of their first response; a prompt's responses together even when they were sampled apart.
    _, first, inverse = np.unique(all_prompts, return_index=True, return_inverse=True)
    order = np.argsort(first[inverse], kind="stable")
    unscored_ids: np.ndarray = all_ids[order][missing[order]]
    return unscored_ids


def annotate(
    pool: Pool,
    sampler_id: str,
    reward_id: str,
    load: Callable[[], RewardModel],
    tally: Tally,
    whole_groups: bool = False,
) -> int:
    """Score what lacks a reward; returns how many responses were scored. The model is loaded only if there are any."""
    ids = unscored(pool, sampler_id, reward_id, whole_groups)
    if not len(ids):
        return 0
    responses, prompts = Lookup(pool.responses, "id"), Lookup(pool.prompts, "id")
    tally.passed, tally.total = 0, len(ids)
    model = load()
    try:
        for groups, group_ids in _groups(ids, responses, prompts):
            scores = model.score(groups)
            rows = [
                _row(identity, reward_id, score)
                for members, of_prompt in zip(group_ids, scores, strict=True)
                for identity, score in zip(members, of_prompt, strict=True)
            ]
            pool.rewards.append(rows)
            tally.scored += len(rows)
            tally.passed += len(rows)
            tally.worked += len(rows)
            tally.dropped.update(score.error for of_prompt in scores for score in of_prompt if score.error)
    finally:
        pool.rewards.flush()
    return len(ids)


def _groups(ids: np.ndarray, responses: Lookup, prompts: Lookup) -> Iterator[tuple[list[Group], list[list[str]]]]:
    """Groups of responses by prompt, PROMPTS_PER_CALL at a time, with the ids of their responses."""
    groups: list[Group] = []
    members: list[list[str]] = []
    step = PROMPTS_PER_CALL * 16
    last = ""
    for start in range(0, len(ids), step):
        chunk = [identity.decode() for identity in ids[start : start + step]]
        table = responses.fetch(chunk, ["prompt_id", "text"])
        prompt_ids = table["prompt_id"].to_pylist()
        messages: list[list[Message]] = prompts.fetch(prompt_ids, ["messages"])["messages"].to_pylist()
        for identity, prompt_id, text, conversation in zip(
            chunk, prompt_ids, table["text"].to_pylist(), messages, strict=True
        ):
            if prompt_id != last:
                if len(groups) >= PROMPTS_PER_CALL:
                    yield groups, members
                    groups, members = [], []
                groups.append(Group(conversation, []))
                members.append([])
                last = prompt_id
            groups[-1].responses.append(text)
            members[-1].append(identity)
    if groups:
        yield groups, members


def _row(response_id: str, reward_id: str, score: Score) -> dict[str, Any]:
    return {
        "response_id": response_id,
        "reward_id": reward_id,
        "score": None if score.error else score.score,
        "objectives": list(score.objectives),
        "weights": list(score.weights),
        "error": score.error or None,
    }
