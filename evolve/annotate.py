"""The reward worker: finds the responses that lack a reward, scores them, appends."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

import rewards
from evolve.identity import Maker, rewards_of, sampler_of
from evolve.lock import Busy
from evolve.lookup import Lookup
from evolve.memory import used_mib
from evolve.pool import Pool
from evolve.progress import progress
from evolve.recipe import Recipe, Reward
from evolve.tally import Tally
from prompts import Message
from rewards.protocol import Group, RewardModel, Score

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
PROMPTS_PER_CALL = 32  # so that batches can be sorted by length, a crash costs seconds, and progress shows


def unscored(pool: Pool, sampler_id: str, reward_id: str, whole_groups: bool = False) -> np.ndarray:
    """Ids (bytes) of the responses without a reward, those of a prompt side by side, in the order of the pool.

    `whole_groups`: all responses of a prompt of which one lacks a reward, for models that compare responses.
    """
    scored = [
        np.array(part["response_id"].to_pylist(), "S24") for part in pool.rewards(reward_id).scan(["response_id"])
    ]
    ids, prompts = [], []
    for part in pool.responses.scan(["id", "prompt_id", "sampler_id", "sample_index"]):
        part = part.filter(pc.and_(pc.equal(part["sampler_id"], sampler_id), pc.greater_equal(part["sample_index"], 0)))
        ids.append(np.array(part["id"].to_pylist(), "S24"))
        prompts.append(np.array(part["prompt_id"].to_pylist(), "S24"))
    if not ids:
        return np.empty(0, "S24")
    all_ids, all_prompts = np.concatenate(ids), np.concatenate(prompts)
    missing = ~np.isin(all_ids, np.concatenate([np.empty(0, "S24"), *scored]))
    if whole_groups:
        missing = np.isin(all_prompts, all_prompts[missing])
    # Prompts in order of their first response; a prompt's responses together even when they were sampled apart.
    _, first, inverse = np.unique(all_prompts, return_index=True, return_inverse=True)
    order = np.argsort(first[inverse], kind="stable")
    unscored_ids: np.ndarray = all_ids[order][missing[order]]
    return unscored_ids


class RewardWorker:
    """Scores one sampler's responses by one reward model, which is loaded when the first response needs it."""

    def __init__(self, pool: Pool, sampler_id: str, maker: Maker, reward: Reward, tally: Tally) -> None:
        self.pool, self.sampler_id, self.maker, self.reward, self.tally = pool, sampler_id, maker, reward, tally
        self._model: RewardModel | None = None

    def annotate(self) -> int:
        """Score what lacks a reward; returns how many were scored. Raises `Busy` if another worker is at it."""
        with self.pool.scoring(self.maker.id):
            ids = self._unscored()
            if len(ids):
                self._annotate(ids)
        return len(ids)

    def annotate_or_wait(self) -> None:
        """`annotate`; while another worker is at it (`evolve annotate RUN --follow`), wait until nothing is left."""
        told = False
        while True:
            try:
                self.annotate()
                return
            except Busy as busy:
                if not told:
                    log.info("%s. Waiting for it.", str(busy).split(". ")[0])
                told = True
            if not len(self._unscored()):
                return
            time.sleep(POLL_SECONDS)

    def follow(self) -> None:
        """Score rows as they appear, until nobody grows the run any more and nothing lacks a reward."""
        while True:
            growing = self.pool.is_growing()
            started = time.monotonic()
            if not self.annotate():
                if not growing:
                    return
                time.sleep(max(POLL_SECONDS, 10 * (time.monotonic() - started)))

    def _unscored(self) -> np.ndarray:
        pairwise = self.pool.description("reward", self.maker.id).get("kind") == "pairwise"
        return unscored(self.pool, self.sampler_id, self.maker.id, whole_groups=pairwise)

    def _annotate(self, ids: np.ndarray) -> None:
        self.tally.passed, self.tally.total = 0, len(ids)
        table = self.pool.rewards(self.maker.id)
        try:
            with progress(self.tally, "rewards"):
                for groups, members in _groups(ids, Lookup(self.pool.responses, "id"), Lookup(self.pool.prompts, "id")):
                    self._model = self._model or self._load(groups)
                    table.append(_rows(members, self._model.score(groups), self.tally))
            self.tally.memory_mib["with_reward"] = used_mib()
        finally:
            table.flush()

    def _load(self, groups: list[Group]) -> RewardModel:
        """Load the model, check on the first groups that a batch scores as each row alone, and describe it."""
        reward = self.reward
        model = rewards.load(
            self.maker.model, dtype=reward.dtype, batch_tokens=reward.batch_tokens, compat=reward.compat
        )
        difference = rewards.trust_check(model, groups)
        log.info("%s: a batch and each row alone agree within %.1g", self.maker.model, difference)
        about = {
            "reward": self.maker.model,
            "kind": model.kind,
            "objectives": model.objective_names,
            "comparable_across_prompts": model.comparable_across_prompts,
        }
        self.pool.describe("reward", self.maker.id, self.maker.settings | about)
        return model


def annotate_run(folder: Path, recipe: Recipe, following: bool) -> str:
    """The reward worker as a command of its own: on another device, beside the sampler or after it."""
    pool, tally = Pool(folder / "pool"), Tally()
    sampler = sampler_of(recipe)
    for maker in rewards_of(recipe):
        worker = RewardWorker(pool, sampler.id, maker, recipe.reward, tally)
        if following:
            worker.follow()
        else:
            worker.annotate()
    pool.close()
    return f"{folder}: {tally.scored:,} responses scored now"


def _rows(members: list[list[str]], scores: list[list[Score]], tally: Tally) -> list[dict[str, Any]]:
    rows = [
        _row(identity, score)
        for of_group, of_prompt in zip(members, scores, strict=True)
        for identity, score in zip(of_group, of_prompt, strict=True)
    ]
    tally.scored += len(rows)
    tally.passed += len(rows)
    tally.worked += len(rows)
    tally.dropped.update(row["error"] for row in rows if row["error"])
    return rows


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


def _row(response_id: str, score: Score) -> dict[str, Any]:
    return {
        "response_id": response_id,
        "score": None if score.error else score.score,
        "objectives": list(score.objectives),
        "weights": list(score.weights),
        "error": score.error or None,
    }
