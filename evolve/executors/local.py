"""Jobs in this process: the policy with a bound on what is in flight, then, the policy gone, the reward models."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from evolve.pool.lock import Busy
from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker
from evolve.recipe.resolved import Resolved
from evolve.recipe.sections import Recipe
from evolve.views.evolved import readable
from evolve.watch.memory import used_mib
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from evolve.workers.grow import Grower
from evolve.workers.jobs import Job
from evolve.workers.policy import make_policy
from evolve.workers.reward import RewardWorker
from generation import Chat, Engine

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0


def generate(
    recipe: Recipe,
    pool: Pool,
    sampler: Maker,
    jobs: Iterator[Job],
    make_grower: Callable[[Engine, Chat], Grower],
    tally: Tally,
) -> None:
    """Start the policy, do `jobs`, and let the policy go. What is finished is on disk, however this ends."""
    engine, chat = make_policy(recipe)

    async def live() -> None:
        await engine.start()
        about = {"policy": recipe.policy.model, "engine_description": engine.description}
        pool.describe("sampler", sampler.id, sampler.settings | about)
        try:
            with progress(tally, "sampled and rewritten"):
                await run_jobs(make_grower(engine, chat), jobs, pool, tally, recipe.policy.in_flight)
            tally.memory_mib["with_policy"] = used_mib()
        finally:
            await engine.close()
        tally.memory_mib["policy_gone"] = used_mib()

    asyncio.run(live())


async def run_jobs(grower: Grower, jobs: Iterator[Job], pool: Pool, tally: Tally, in_flight: int) -> None:
    """Do `jobs`, at most `in_flight` at any time. What is finished is on disk when this returns or raises,
    cancellation included.
    """

    async def work() -> None:
        for job in jobs:
            await grower.do(job)
            tally.passed += 1
            tally.worked += 1

    flusher = asyncio.create_task(_flush_now_and_then(pool))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(work())
    except* Exception as errors:
        raise _first(errors) from None
    finally:
        flusher.cancel()
        pool.flush()


def score(pool: Pool, resolved: Resolved, wanted: Collection[str], tally: Tally) -> None:
    """Score what the prompts `wanted` lack, by each model in turn; while another process is at it, wait for it."""
    for maker in resolved.rewards:
        _score_or_wait(_worker(pool, resolved, maker, tally, lambda: wanted))


def score_run(folder: Path, resolved: Resolved, following: bool) -> str:
    """The reward worker as a command of its own: on another device, beside the sampler or after it."""
    pool, tally = Pool(folder / "pool"), Tally()
    for maker in resolved.rewards:
        worker = _worker(pool, resolved, maker, tally, partial(readable_prompts, pool, resolved))
        if following:
            _follow(worker)
        else:
            worker.score_missing()
    pool.close()
    return f"{folder}: {tally.scored:,} responses scored now"


def readable_prompts(pool: Pool, resolved: Resolved) -> Collection[str]:
    """The prompts whose responses a recipe reads, as far as they are there."""
    x = set(pool.description("x", resolved.x_id).get("ids", ()))
    return readable(pool, x, x, resolved.templates, resolved.reward_limit, resolved.recipe.min_content)


def _worker(
    pool: Pool, resolved: Resolved, maker: Maker, tally: Tally, wanted: Callable[[], Collection[str]]
) -> RewardWorker:
    recipe = resolved.recipe
    return RewardWorker(pool, resolved.sampler.id, maker, recipe.reward, tally, recipe.sampling.n, wanted)


def _score_or_wait(worker: RewardWorker) -> None:
    told = False
    while True:
        try:
            worker.score_missing()
            return
        except Busy as busy:
            if not told:
                log.info("%s. Waiting for it.", str(busy).split(". ")[0])
            told = True
        if not len(worker.missing()):
            return
        time.sleep(POLL_SECONDS)


def _follow(worker: RewardWorker) -> None:
    """Score rows as they appear, until nobody grows the run any more and nothing lacks a reward.

    A run may score itself meanwhile, between its phases or at its end: that is waited for.
    """
    while True:
        worker.pool.check_is_there()
        growing = worker.pool.is_growing()
        started = time.monotonic()
        try:
            scored = worker.score_missing()
        except Busy:
            scored, growing = 0, growing or len(worker.missing()) > 0
        if not scored:
            if not growing:
                return
            time.sleep(max(POLL_SECONDS, 10 * (time.monotonic() - started)))


async def _flush_now_and_then(pool: Pool) -> None:
    while True:
        await asyncio.sleep(1)
        pool.flush_if_due()


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
