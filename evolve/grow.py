"""Growing the pool with a policy: rewriting and sampling as one stream, no barrier, a bound on what is in flight.

A worker takes a job, asks the engine, appends the rows. A rewrite that passes the filters is sampled at once by the
same worker, so at most `in_flight` requests exist at any time and nothing queues up between the stages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from evolve import filters
from evolve.index import Index, initial_key, rewrite_key
from evolve.pool import Pool
from evolve.recipe import Recipe
from evolve.tally import Tally
from generation import Chat, Completion, Engine, Request, RequestRefused, TemplateRefused, seed_from
from prompts import Message, Prompt, Template, content_id, rewrite_messages

RESPONSE_ROOM = 256  # tokens a prompt must leave for its response, or a quarter of a small context
PARENT_TOO_LONG = "parent_too_long"
TOO_LONG_FOR_REWARD = "too_long_for_reward"

Job = Callable[[], Awaitable[None]]


class RewardContext(Protocol):
    """How long a conversation the reward model takes; known without its weights."""

    @property
    def limit(self) -> int | None: ...

    def count(self, messages: Sequence[Message]) -> int: ...


class Grower:
    """Finds what the pool lacks of a recipe and computes it."""

    def __init__(
        self,
        pool: Pool,
        recipe: Recipe,
        sampler_id: str,
        templates: dict[str, Template],
        reward_context: RewardContext,
        tally: Tally,
    ) -> None:
        self.pool, self.recipe, self.templates, self.tally = pool, recipe, templates, tally
        self.reward_context = reward_context
        self.index = Index(pool, sampler_id)
        self.engine: Engine
        self.chat: Chat

    def add_initial(self, prompts: Iterator[Prompt]) -> list[str]:
        """Put X into the pool where it is not there yet; returns its ids in order, each once."""
        ids: dict[str, None] = {}
        for prompt in prompts:
            ids[prompt.id] = None
            key = initial_key(prompt.id)
            if self.index.claim(key):
                self.pool.prompts.append([_prompt_row(key, prompt, filters.KEPT)])
        self.pool.prompts.flush()
        return list(ids)

    def jobs(self, sample: Collection[str], evolve: Collection[str]) -> Iterator[Job]:
        """What is missing until the prompts `sample` have responses and the prompts `evolve` have rewrites, sampled.

        Jobs are claimed prompt by prompt, as they are taken. One pass over the prompts on disk, so texts
        are in memory only part by part.
        """
        columns = ["key", "id", "messages", "parent_id", "strategy", "verdict", "reward_limit"]
        for part in self.pool.prompts.scan(columns):
            for row in part.to_pylist():
                prompt = Prompt(row["messages"], row["parent_id"], row["strategy"])
                if not row["parent_id"]:
                    jobs = list(self._jobs_of_initial(row["id"], prompt, sample, evolve))
                    self.tally.passed += self.n_jobs(row["id"] in sample, row["id"] in evolve) - len(jobs)
                    yield from jobs
                elif row["parent_id"] in evolve and self._lacks_samples(row):
                    self.tally.total += 1
                    yield partial(self._sample, prompt)

    def n_jobs(self, n_sample: int, n_evolve: int) -> int:
        """How many jobs so many prompts are when nothing of them is there: the sampling of each, and each rewrite."""
        return n_sample + n_evolve * len(self.templates) * self.recipe.evolve.per_strategy

    def _jobs_of_initial(
        self, prompt_id: str, prompt: Prompt, sample: Collection[str], evolve: Collection[str]
    ) -> Iterator[Job]:
        if prompt_id in sample and self.index.lacks_samples(prompt_id, self.recipe.sampling.n):
            yield partial(self._sample, prompt)
        if prompt_id not in evolve:
            return
        for template in self.templates.values():
            for i in range(self.recipe.evolve.per_strategy):
                key = rewrite_key(prompt_id, template, self.index.sampler_id, i)
                if self.index.claim(key):
                    yield partial(self._rewrite, key, prompt, template, i)

    def _lacks_samples(self, row: dict[str, Any]) -> bool:
        """Whether a rewrite on disk, made before a crash perhaps, is still to be sampled."""
        lacks = self.index.lacks_samples(row["id"], self.recipe.sampling.n)
        return lacks and accepted(row, self.reward_context.limit) and self._is_ours(row)

    def _is_ours(self, row: dict[str, Any]) -> bool:
        """Whether this recipe would have asked for the rewrite: same template, sampler and number."""
        template = self.templates.get(row["strategy"])
        keys = (
            rewrite_key(row["parent_id"], template, self.index.sampler_id, i)
            for i in range(self.recipe.evolve.per_strategy)
            if template
        )
        return row["key"] in keys

    async def run(self, engine: Engine, chat: Chat, jobs: Iterator[Job]) -> None:
        """Do `jobs`. What is finished is on disk when this returns or raises, cancellation included."""
        self.engine, self.chat = engine, chat

        async def work() -> None:
            for job in jobs:
                await job()
                self.tally.passed += 1
                self.tally.worked += 1

        flusher = asyncio.create_task(self._flush_now_and_then())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.recipe.policy.in_flight):
                    group.create_task(work())
        except* Exception as errors:
            raise _first(errors) from None
        finally:
            flusher.cancel()
            self.pool.flush()

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.pool.flush_if_old()

    async def _rewrite(self, key: str, parent: Prompt, template: Template, index: int) -> None:
        row = {"key": key, "id": "", "parent_id": parent.id, "strategy": template.strategy}
        row["sampler_id"] = self.index.sampler_id
        try:
            ids = self.chat.render(rewrite_messages(parent, template))
            if filters.too_long(len(ids), self._prompt_limit()):
                raise RequestRefused(PARENT_TOO_LONG)
            seed = seed_from(self.recipe.sampling.seed, parent.id, template.strategy) + index
            (completion,) = await self._complete(ids, 1, seed)
        except (TemplateRefused, RequestRefused) as error:
            reason = _reason(error, PARENT_TOO_LONG)
            self.tally.dropped[reason] += 1
            self.pool.prompts.append([row | {"messages": [], "verdict": reason}])
            return
        self.tally.rewrites += 1
        child, verdict, child_ids = self._judge(parent, template, completion)
        row |= _prompt_row(key, child, verdict) | {
            "finish_reason": completion.finish_reason,
            "n_tokens": len(completion.token_ids),
            "logp": completion.logp,
            "reward_limit": self.reward_context.limit if verdict == TOO_LONG_FOR_REWARD else None,
        }
        self.pool.prompts.append([row])
        if verdict == filters.KEPT:
            await self._sample(child, child_ids)
        else:
            self.tally.dropped[verdict] += 1

    def _judge(self, parent: Prompt, template: Template, completion: Completion) -> tuple[Prompt, str, list[int]]:
        """The child, its verdict, and its token ids if it has passed so far as to be rendered."""
        text = filters.clean(completion.text, parent)
        child = parent.with_instruction(text, template.strategy)
        verdict = filters.verdict(parent, text, template, completion.finish_reason)
        if verdict != filters.KEPT:
            return child, verdict, []
        try:
            ids = self.chat.render(child.messages)
        except TemplateRefused as error:
            return child, _reason(error, ""), []
        if filters.too_long(len(ids), self._prompt_limit()):
            return child, filters.TOO_LONG, ids
        if self._too_long_for_reward(child.messages):
            return child, TOO_LONG_FOR_REWARD, ids
        return child, verdict, ids

    def _too_long_for_reward(self, messages: list[Message]) -> bool:
        limit = self.reward_context.limit
        n_bytes = sum(len(message["content"].encode()) + 64 for message in messages)
        if limit is None or n_bytes <= limit - RESPONSE_ROOM:  # a token is at least a byte: no need to count
            return False
        try:
            n_tokens = self.reward_context.count(messages)
        except TemplateRefused:
            return False  # each response will have that as its error
        return filters.too_long(n_tokens, limit - min(RESPONSE_ROOM, limit // 4))

    def _prompt_limit(self) -> int:
        """The longest prompt in tokens: the policy's context less room for a response."""
        context = self.engine.context_length
        return context - min(RESPONSE_ROOM, context // 4, self.recipe.sampling.max_tokens)

    async def _sample(self, prompt: Prompt, ids: list[int] | None = None) -> None:
        prompt_id = prompt.id
        for run in self.index.claim_samples(prompt_id, self.recipe.sampling.n):
            seed = seed_from(self.recipe.sampling.seed, prompt_id, "response") + run.start
            try:
                ids = ids or self.chat.render(prompt.messages)
                if filters.too_long(len(ids), self._prompt_limit()):
                    raise RequestRefused(filters.TOO_LONG)
                completions = await self._complete(ids, len(run), seed)
            except (TemplateRefused, RequestRefused) as error:
                return self._refuse(prompt_id, _reason(error, filters.TOO_LONG))
            self.tally.samples += len(completions)
            self.pool.responses.append(
                self._response_row(prompt_id, i, seed + i - run.start, completion)
                for i, completion in zip(run, completions, strict=True)
            )

    async def _complete(self, ids: list[int], n: int, seed: int) -> list[Completion]:
        sampling = self.recipe.sampling
        room = self.engine.context_length - len(ids)
        request = Request(ids, n, seed, sampling.temperature, sampling.top_p, min(sampling.max_tokens, room))
        completions = await self.engine.complete(request)
        self.tally.tokens += sum(len(completion.token_ids) for completion in completions)
        return completions

    def _response_row(self, prompt_id: str, index: int, seed: int, completion: Completion) -> dict[str, Any]:
        return {
            "id": content_id("response", prompt_id, self.index.sampler_id, index, completion.text),
            "prompt_id": prompt_id,
            "sampler_id": self.index.sampler_id,
            "sample_index": index,
            "text": completion.text,
            "n_tokens": len(completion.token_ids),
            "logp": completion.logp,
            "finish_reason": completion.finish_reason,
            "seed": seed,
            "token_ids": list(completion.token_ids) if self.recipe.policy.keep_token_ids else None,
        }

    def _refuse(self, prompt_id: str, reason: str) -> None:
        """A prompt that can't be sampled is one row with its reason, never a dead run."""
        self.tally.dropped[reason] += 1
        identity = content_id("response", prompt_id, self.index.sampler_id, -1, reason)
        self.pool.responses.append(
            [
                {
                    "id": identity,
                    "prompt_id": prompt_id,
                    "sampler_id": self.index.sampler_id,
                    "sample_index": -1,
                    "error": reason,
                }
            ]
        )


def accepted(row: dict[str, Any], reward_limit: int | None) -> bool:
    """Whether a rewrite's row passes: kept, or turned down for a reward model with less room than the present one."""
    if row["verdict"] != TOO_LONG_FOR_REWARD:
        return bool(row["verdict"] == filters.KEPT)
    return reward_limit is None or reward_limit > row["reward_limit"]


def _reason(error: Exception, too_long: str) -> str:
    """Why a prompt could not be asked: `too_long` if that is what was raised, else who refused it."""
    if isinstance(error, TemplateRefused):
        return "template_refused"
    return too_long if str(error) == too_long else "engine_refused"


def _prompt_row(key: str, prompt: Prompt, verdict: str) -> dict[str, Any]:
    return {
        "key": key,
        "id": prompt.id,
        "messages": prompt.messages,
        "parent_id": prompt.parent_id,
        "strategy": prompt.strategy,
        "verdict": verdict,
    }


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
