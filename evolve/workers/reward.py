"""The reward worker: finds the responses that lack a reward, scores them, appends."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

import rewards
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker
from evolve.recipe.sections import Reward
from evolve.watch.memory import used_mib
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from evolve.workers.jobs import unscored
from generation.template import template_arguments
from prompts import Message
from prompts.reasons import is_owed
from rewards.protocol import Group, RewardModel, Score, ScoringStopped

log = logging.getLogger(__name__)

PROMPTS_PER_CALL = 32  # so that batches can be sorted by length, a crash costs seconds, and progress shows


class RewardWorker:
    """Scores one sampler's responses by one reward model, which is loaded when the first response needs it."""

    def __init__(
        self,
        pool: Pool,
        sampler_id: str,
        maker: Maker,
        reward: Reward,
        tally: Tally,
        n: int,
        wanted: Callable[[], Collection[str]],
    ) -> None:
        """`n` and `wanted` say what the recipe reads: the first n responses to these prompts."""
        self.pool, self.sampler_id, self.maker, self.reward, self.tally = pool, sampler_id, maker, reward, tally
        self.n, self.wanted = n, wanted
        self._model: RewardModel | None = None

    def score_missing(self) -> int:
        """Score what lacks a reward; returns how many have one now. Raises `Busy` if another worker is at it.

        What a machine's fault left without one is kept as such and counted in `tally.owed`: it is missing still.
        """
        before = self.tally.owed.total()
        with self.pool.scoring(self.maker.id):
            ids = self.missing()
            if len(ids):
                self._score(ids)
        return len(ids) - (self.tally.owed.total() - before)

    def missing(self) -> np.ndarray:
        """Ids of the responses that lack a reward."""
        wanted, compares = self.wanted(), "n" in self.maker.settings
        return unscored(self.pool, self.sampler_id, self.maker.id, self.n, wanted, whole_groups=compares)

    def _score(self, ids: np.ndarray) -> None:
        self.tally.passed, self.tally.total = 0, len(ids)
        table = self.pool.rewards(self.maker.id)
        try:
            responses, prompts = Lookup(self.pool.responses(self.sampler_id), "id"), Lookup(self.pool.prompts, "id")
            with progress(self.tally, "rewards"):
                for groups, members in _groups(ids, responses, prompts):
                    self._model = self._model or self._load(groups)
                    try:
                        scores = self._model.score(groups)
                    except ScoringStopped as stopped:
                        table.append(_rows(members, stopped.scores, self.tally))
                        raise
                    table.append(_rows(members, scores, self.tally))
            self.tally.memory_mib["with_reward"] = used_mib()
        finally:
            self.pool.flush()

    def _load(self, groups: list[Group]) -> RewardModel:
        """Load the model, check on the first groups that a batch scores as each row alone, and describe it."""
        reward = self.reward
        model = rewards.load(
            self.maker.model,
            dtype=reward.dtype,
            batch_tokens=reward.batch_tokens,
            compat=reward.compat,
            base_url=reward.base_url,
            arguments=template_arguments(reward.chat_template_kwargs, reward.template_date),
            principle=reward.principle,
            device="auto" if reward.devices == "one" else "all",
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


def _rows(members: list[list[str]], scores: list[list[Score]], tally: Tally) -> list[dict[str, Any]]:
    rows = [
        _row(identity, score)
        for of_group, of_prompt in zip(members, scores, strict=True)
        for identity, score in zip(of_group, of_prompt, strict=True)
    ]
    tally.passed += len(rows)
    tally.worked += len(rows)
    tally.dropped.update(row["error"] for row in rows if row["error"])
    tally.owed.update(row["error"] for row in rows if is_owed(row["error"] or ""))
    tally.scored += len(rows)
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
    error = score.error or (None if math.isfinite(score.score) else "not_finite")
    return {
        "response_id": response_id,
        "score": None if error else score.score,
        "objectives": list(score.objectives),
        "weights": list(score.weights),
        "quantiles": list(score.quantiles),
        "spread": None if error else score.spread,
        "error": error,
    }
