"""What is missing, as data: the jobs of the policy, and the responses that lack a reward."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.claims import Claims, rewrite_key
from evolve.pool.pool import Pool
from evolve.recipe.sections import Recipe
from evolve.views.verdicts import accepted
from evolve.watch.tally import Tally
from prompts import Prompt, RewriteTemplate
from prompts.reasons import OWED


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to ask the policy for: rewrites of a prompt by a strategy, or responses to it, by their indices."""

    what: Literal["rewrite", "sample"]
    prompt: Prompt
    indices: tuple[int, ...]
    strategy: str = ""


@dataclass(frozen=True)
class PolicyJobs:
    """Finds what the pool lacks of a recipe and claims it, so that nothing is asked for twice."""

    pool: Pool
    claims: Claims
    templates: dict[str, RewriteTemplate]
    n: int
    per_strategy: int
    reward_limit: int | None
    tally: Tally
    min_content: float = 0.0

    def missing(self, sample: Collection[str], rewrite: Collection[str]) -> Iterator[Job]:
        """What is missing until the prompts `sample` have responses, and `rewrite` have rewrites with responses.

        A job is claimed when it is taken. One pass over the prompts on disk, so texts are in memory only part by part.
        """
        columns = ["key", "id", "messages", "parent_id", "strategy", "verdict", "reward_limit", "content_kept"]
        for part in self.pool.prompts.scan(columns):
            for row in part.to_pylist():
                prompt = Prompt(row["messages"], row["parent_id"], row["strategy"])
                if not row["parent_id"]:
                    jobs = list(self._of_initial(row["id"], prompt, sample, rewrite))
                    self.tally.passed += self.count(row["id"] in sample, row["id"] in rewrite) - len(jobs)
                    yield from jobs
                elif row["parent_id"] in rewrite and self._is_to_sample(row):
                    self.tally.total += 1
                    yield from self._sampling(row["id"], prompt)

    def count(self, n_sample: int, n_rewrite: int) -> int:
        """How many jobs so many prompts are when nothing of them is there: the sampling of each, and each rewrite."""
        return n_sample + n_rewrite * len(self.templates) * self.per_strategy

    def _of_initial(
        self, prompt_id: str, prompt: Prompt, sample: Collection[str], rewrite: Collection[str]
    ) -> Iterator[Job]:
        if prompt_id in sample:
            yield from self._sampling(prompt_id, prompt)
        if prompt_id not in rewrite:
            return
        for strategy, template in self.templates.items():
            for i in range(self.per_strategy):
                if self.claims.claim(rewrite_key(prompt_id, template, self.claims.sampler_id, i)):
                    yield Job("rewrite", prompt, (i,), strategy)

    def _sampling(self, prompt_id: str, prompt: Prompt) -> Iterator[Job]:
        if indices := self.claims.claim_samples(prompt_id, self.n):
            yield Job("sample", prompt, indices)

    def _is_to_sample(self, row: dict[str, Any]) -> bool:
        """Whether a rewrite on disk, made before a crash perhaps, is still to be sampled."""
        lacks = self.claims.lacks_samples(row["id"], self.n)
        return lacks and accepted(row, self.reward_limit, self.min_content) and self._is_ours(row)

    def _is_ours(self, row: dict[str, Any]) -> bool:
        """Whether this recipe would have asked for the rewrite: same template, sampler and number."""
        template = self.templates.get(row["strategy"])
        keys = (
            rewrite_key(row["parent_id"], template, self.claims.sampler_id, i)
            for i in range(self.per_strategy)
            if template
        )
        return row["key"] in keys


def jobs_of(
    recipe: Recipe,
    pool: Pool,
    claims: Claims,
    templates: dict[str, RewriteTemplate],
    reward_limit: int | None,
    tally: Tally,
) -> PolicyJobs:
    """The jobs that `recipe` asks for."""
    n, rewriting = recipe.sampling.n, recipe.rewriting
    return PolicyJobs(
        pool, claims, templates, n, rewriting.per_strategy, reward_limit, tally, min_content=recipe.min_content
    )


def unscored(
    pool: Pool, sampler_id: str, reward_id: str, n: int, wanted: Collection[str], whole_groups: bool = False
) -> np.ndarray:
    """Ids (bytes) of the first n responses to the prompts `wanted` that lack a reward, those of a prompt side by side,
    in the order of the pool.

    `whole_groups`, for models that compare responses: all of a prompt's where one of them lacks a reward.
    """
    scored = []
    for part in pool.rewards(reward_id).scan(["response_id", "error"]):
        final = part.filter(pc.invert(pc.is_in(part["error"], value_set=pa.array(OWED, pa.string()))))
        scored.append(np.array(final["response_id"].to_pylist(), "S24"))
    ids, prompts = [], []
    for part in pool.responses(sampler_id).scan(["id", "prompt_id", "sample_index"]):
        part = part.filter(pc.and_(pc.greater_equal(part["sample_index"], 0), pc.less(part["sample_index"], n)))
        ids.append(np.array(part["id"].to_pylist(), "S24"))
        prompts.append(np.array(part["prompt_id"].to_pylist(), "S24"))
    if not ids:
        return np.empty(0, "S24")
    all_ids, all_prompts = np.concatenate(ids), np.concatenate(prompts)
    asked = np.isin(all_prompts, np.array(list(wanted), "S24"))
    all_ids, all_prompts = all_ids[asked], all_prompts[asked]
    missing = ~np.isin(all_ids, np.concatenate([np.empty(0, "S24"), *scored]))
    if whole_groups:
        missing = np.isin(all_prompts, all_prompts[missing])
    # Prompts in order of their first response; a prompt's responses together even when they were sampled apart.
    _, first, inverse = np.unique(all_prompts, return_index=True, return_inverse=True)
    order = np.argsort(first[inverse], kind="stable")
    unscored_ids: np.ndarray = all_ids[order][missing[order]]
    return unscored_ids
