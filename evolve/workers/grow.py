"""The policy's work: one job at a time, asked of the engine, its rows appended to the pool.

A rewrite that passes the filters is sampled at once by the same worker, so nothing queues up between the stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evolve.pool.claims import Claims, rewrite_key
from evolve.pool.pool import Pool
from evolve.recipe.sections import Recipe
from evolve.views.verdicts import TOO_LONG_FOR_REWARD, present_verdict
from evolve.watch.tally import Tally
from evolve.workers.jobs import Job
from evolve.workers.rows import known, prompt_row, refused_row, response_row
from evolve.workers.screening import TEMPLATE_REFUSED, Screening
from generation import Chat, Completion, Engine, EngineFailed, Request, RequestRefused, TemplateRefused, seed_from
from prompts import Prompt, RewriteTemplate, filters, rewrite_messages
from prompts.content import content_of
from prompts.reasons import KEPT, is_owed
from rewards.limits import PromptContext

PARENT_TOO_LONG = "parent_too_long"
ENGINE_REFUSED = "engine_refused"
ENGINE_FAILED = "engine_failed"


class TooLong(Exception):
    """The prompt leaves no room for what it is to be answered with."""


REFUSALS = (TemplateRefused, RequestRefused, EngineFailed, TooLong)


class Grower:
    """Does jobs with a started engine. Many `do` calls run at once."""

    def __init__(
        self,
        recipe: Recipe,
        pool: Pool,
        claims: Claims,
        templates: dict[str, RewriteTemplate],
        engine: Engine,
        chat: Chat,
        reward_context: PromptContext,
        tally: Tally,
    ) -> None:
        self.recipe, self.pool, self.claims, self.templates, self.tally = recipe, pool, claims, templates, tally
        self.engine, self.chat, self.reward_limit = engine, chat, reward_context.limit
        self.screening = Screening(chat, engine.context_length, recipe.sampling.max_tokens, reward_context)

    async def do(self, job: Job) -> None:
        """Do one job. What it made is in the pool's buffers when this returns."""
        if job.what == "sample":
            return await self._sample(job.prompt, job.indices)
        for index in job.indices:
            await self._rewrite(job.prompt, self.templates[job.strategy], index)

    async def _rewrite(self, parent: Prompt, template: RewriteTemplate, index: int) -> None:
        sampler_id = self.claims.sampler_id
        key = rewrite_key(parent.id, template, sampler_id, index)
        row: dict[str, Any] = {"key": key, "id": "", "parent_id": parent.id, "strategy": template.strategy}
        row |= {"sampler_id": sampler_id}
        try:
            ids = self.chat.render(rewrite_messages(parent, template))
            seed = seed_from(self.recipe.sampling.seed, parent.id, template.strategy) + index
            (completion,) = await self._complete(ids, 1, seed)
        except REFUSALS as error:
            reason = self._count(error, PARENT_TOO_LONG)
            self.pool.prompts.append([row | {"messages": [], "verdict": reason}])
            return
        self.tally.rewrites += 1
        child, verdict, child_ids = self.screening.judge(parent, template, completion)
        row |= prompt_row(key, child, verdict) | {
            "finish_reason": completion.finish_reason,
            "n_tokens": len(completion.token_ids),
            "logp": known(completion.logp),
            "reward_limit": self.reward_limit if verdict == TOO_LONG_FOR_REWARD else None,
            "content_kept": content_of(parent, child),
        }
        self.pool.prompts.append([row])
        verdict = present_verdict(row, self.reward_limit, self.recipe.min_content)
        if verdict == KEPT:
            await self._sample(child, self.claims.claim_samples(child.id, self.recipe.sampling.n), child_ids)
        else:
            self.tally.dropped[verdict] += 1

    async def _sample(self, prompt: Prompt, indices: tuple[int, ...], ids: list[int] | None = None) -> None:
        prompt_id, sampler_id = prompt.id, self.claims.sampler_id
        for run in consecutive(indices):
            seed = seed_from(self.recipe.sampling.seed, prompt_id, "response") + run.start
            try:
                ids = ids or self.chat.render(prompt.messages)
                completions = await self._complete(ids, len(run), seed)
            except REFUSALS as error:
                reason = self._count(error, filters.TOO_LONG)
                return self.pool.responses(sampler_id).append([refused_row(prompt_id, sampler_id, reason)])
            self.tally.samples += len(completions)
            keep = self.recipe.policy.keep_token_ids
            self.pool.responses(sampler_id).append(
                response_row(prompt_id, sampler_id, i, seed + i - run.start, completion, token_ids=keep)
                for i, completion in zip(run, completions, strict=True)
            )

    def _count(self, error: Exception, too_long: str) -> str:
        """Why a prompt could not be asked, counted. What is owed is a row as well: the next run asks again."""
        reason = _reason(error, too_long)
        self.tally.dropped[reason] += 1
        if is_owed(reason):
            self.tally.owed[reason] += 1
        return reason

    async def _complete(self, ids: list[int], n: int, seed: int) -> list[Completion]:
        """Completions of a prompt. Raises `TooLong` and `RequestRefused`."""
        if filters.too_long(len(ids), self.screening.prompt_limit):
            raise TooLong
        sampling = self.recipe.sampling
        room = self.engine.context_length - len(ids)
        request = Request(ids, n, seed, sampling.temperature, sampling.top_p, min(sampling.max_tokens, room))
        completions = [self.chat.answer(one) for one in await self.engine.complete(request)]
        self.tally.tokens += sum(len(completion.token_ids) for completion in completions)
        return completions


def consecutive(indices: tuple[int, ...]) -> Iterator[range]:
    """Ascending indices as runs of neighbours: each is one request, whose i-th completion has the seed + i."""
    start = 0
    for i in range(1, len(indices) + 1):
        if i == len(indices) or indices[i] != indices[i - 1] + 1:
            yield range(indices[start], indices[i - 1] + 1)
            start = i


def _reason(error: Exception, too_long: str) -> str:
    """Why a prompt could not be asked."""
    if isinstance(error, TooLong):
        return too_long
    if isinstance(error, EngineFailed):
        return ENGINE_FAILED
    return TEMPLATE_REFUSED if isinstance(error, TemplateRefused) else ENGINE_REFUSED
