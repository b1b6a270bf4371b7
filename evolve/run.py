"""A run: a recipe on a folder. What the algorithms are written in."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evolve import algorithms, identity, policy
from evolve.annotate import RewardWorker
from evolve.evolved import Evolved, evolved_prompts
from evolve.files import write_file
from evolve.filters import DUPLICATE
from evolve.grow import Grower, Job, RewardContext
from evolve.index import initial_key
from evolve.lookup import Lookup
from evolve.memory import used_mib
from evolve.pool import Pool
from evolve.progress import progress
from evolve.recipe import Recipe
from evolve.sources import load_prompts
from evolve.tally import Tally
from evolve.views import Pairs, Responses, load_responses, pairs_of, without_near_identical
from prompts import Prompt, Template, content_id, load_templates
from prompts.errors import UserError
from rewards.loading import context
from selection import scale_of, score_pairs, top_k

log = logging.getLogger(__name__)


@dataclass
class Stage:
    """Time and work of one stage of this invocation."""

    seconds: float = 0.0
    tokens: int = 0  # sampled
    scored: int = 0  # responses


@dataclass
class Run:
    """One invocation. `view_only`: no model may be called, so a missing row is an error instead of work."""

    recipe: Recipe
    folder: Path
    iteration: int = 1
    view_only: bool = False
    tally: Tally = field(default_factory=Tally)
    stages: dict[str, Stage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recipe = self.recipe
        self.pool = Pool(self.folder / "pool")
        self.templates: dict[str, Template] = load_templates(
            Path(recipe.evolve.templates) if recipe.evolve.templates else None, recipe.evolve.strategies
        )
        self.sampler = identity.sampler_of(recipe)
        self.rewards = identity.rewards_of(recipe)
        self.reward_context = _tightest([context(reward.model) for reward in self.rewards])
        self.n_source, self.dropped_source = 0, Counter[str]()

    def execute(self) -> algorithms.Outcome:
        """Run the recipe's algorithm. Raises `Busy` if another process grows this run."""
        algorithm = algorithms.ALGORITHMS[self.recipe.algorithm]
        if self.view_only:
            return algorithm(self)
        with self.pool.growing():
            write_file(self.folder / "recipe.json", self.recipe.model_dump_json(indent=2).encode() + b"\n")
            return algorithm(self)

    @cached_property
    def grower(self) -> Grower:
        return Grower(self.pool, self.recipe, self.sampler.id, self.templates, self.reward_context, self.tally)

    @cached_property
    def x_id(self) -> str:
        """Identity of X: how it is drawn, and from what."""
        config = self.recipe.prompts
        content = identity.source_digests(config.source)
        return content_id("x", config.model_dump(), self.recipe.policy.system_prompt, content)

    @property
    def made_of(self) -> str:
        """Identity of all that a dataset depends on beside the selection: X, templates, sampler, n, reward models."""
        evolve = [[template.strategy, template.id] for template in self.templates.values()]
        rewards = [[maker.id, maker.weight] for maker in self.rewards]
        n = [self.recipe.sampling.n, self.recipe.evolve.per_strategy]
        return content_id("dataset", self.x_id, evolve, self.sampler.id, rewards, n)

    @cached_property
    def prompts(self) -> list[str]:
        """X: the ids of the initial prompts, in order. Drawn once for a run and fixed for its iterations."""
        x_id = self.x_id
        stored = self.pool.description("x", x_id)
        if not stored or not all(self.grower.index.has(initial_key(one)) for one in stored["ids"]):
            if self.view_only:
                raise UserError(f"{self.folder} has no prompts of this recipe yet. `evolve run` draws them.")
            stored = self._draw(x_id)
        self.n_source, self.dropped_source = stored["n_in"], Counter(stored["dropped"])
        return list(stored["ids"])

    def _draw(self, x_id: str) -> dict[str, Any]:
        config = self.recipe.prompts
        with self.timed("prompts"):
            drawn = load_prompts(
                config.source,
                split=config.split,
                column=config.column,
                limit=config.limit,
                seed=config.seed,
                draw=config.draw,
            )
            for told in drawn.bad_rows:
                log.warning("dropped from %s: %s", config.source, told)
            ids = self.grower.add_initial(self._with_system_prompt(prompt) for prompt in drawn.prompts)
        dropped = Counter(drawn.dropped)
        if same := len(drawn) - len(ids):  # one had the system prompt that the other was given
            dropped[DUPLICATE] += same
        stored = {"source": config.model_dump(), "n_in": drawn.n_in, "dropped": dict(dropped), "ids": ids}
        self.pool.describe("x", x_id, stored)
        return stored

    def _with_system_prompt(self, prompt: Prompt) -> Prompt:
        system = self.recipe.policy.system_prompt
        if system is None or prompt.messages[0]["role"] == "system":
            return prompt
        return Prompt([{"role": "system", "content": system}, *prompt.messages])

    def grow(self, sample: Sequence[str] = (), evolve: Sequence[str] = ()) -> None:
        """Compute what the pool lacks: first all that needs the policy, then, the policy gone, the rewards."""
        wanted, parents = set(sample), set(evolve)
        self.tally.passed, self.tally.total = 0, self.grower.n_jobs(len(wanted), len(parents))
        jobs = self.grower.jobs(wanted, parents)
        first = next(jobs, None)
        if first is not None:
            if self.view_only:
                raise UserError(
                    f"{self.folder} lacks rewrites or responses for this recipe. `evolve run` computes them."
                )
            with self.timed("generate"):
                self._generate(itertools.chain([first], jobs))
        if not self.view_only:
            with self.timed("reward"):
                for reward in self.rewards:
                    worker = RewardWorker(self.pool, self.sampler.id, reward, self.recipe.reward, self.tally)
                    worker.annotate_or_wait()
        for view in ("responses", "texts"):  # of the pool as it was
            self.__dict__.pop(view, None)

    def _generate(self, jobs: Iterator[Job]) -> None:
        engine, chat = policy.make_policy(self.recipe)

        async def live() -> None:
            await engine.start()
            about = {"policy": self.recipe.policy.model, "engine_description": engine.description}
            self.pool.describe("sampler", self.sampler.id, self.sampler.settings | about)
            try:
                with progress(self.tally, "sampled and rewritten"):
                    await self.grower.run(engine, chat, jobs)
                self.tally.memory_mib["with_policy"] = used_mib()
            finally:
                await engine.close()
            self.tally.memory_mib["policy_gone"] = used_mib()

        asyncio.run(live())

    @cached_property
    def responses(self) -> Responses:
        return load_responses(self.pool, self.sampler.id, self.rewards, self.recipe.sampling.n, self.prompts)

    @cached_property
    def texts(self) -> Lookup:
        return Lookup(self.pool.responses, "id")

    def gen_dataset(self, prompt_ids: Sequence[str]) -> Pairs:
        """GenDataset's pairs (D or D'): best against worst of the n responses, and the guard."""
        rule = self.recipe.selection
        pairs = pairs_of(self.responses, prompt_ids, rule, self.recipe.sampling.n)
        return pairs if rule.guard == "paper" else without_near_identical(pairs, self.texts)

    def evol_instruct(self, parents: Sequence[str]) -> Evolved:
        """X' of `parents`, or X'_k."""
        return evolved_prompts(
            self.pool,
            parents,
            set(self.prompts),
            self.templates,
            self.sampler.id,
            self.recipe.evolve.per_strategy,
            self.reward_context.limit,
        )

    def top_k(self, pairs: Pairs) -> algorithms.Ranking:
        """Rank by the recipe's metric and keep k. sigma is taken over what is ranked (Appendix D.1)."""
        rule = self.recipe.selection
        if not len(pairs):
            why = dict(pairs.dropped) if pairs.n_in else "no rewrite passed"
            raise UserError(
                f"No pair is left to rank ({why}). All rows are kept: `evolve status {self.folder}` counts them. Add "
                "prompts, raise sampling.max_tokens if responses are cut off, or rank ties and cut-off responses as "
                "the paper does with selection.guard = 'paper'."
            )
        scale, ids = scale_of(pairs.explicit, pairs.implicit), pairs.ids
        scores = score_pairs(
            rule.metric,
            pairs.explicit,
            pairs.implicit,
            ids,
            alpha=rule.alpha,
            scale=scale,
            seed=self.recipe.sampling.seed,
        )
        return algorithms.Ranking(pairs, scores, scale, top_k(scores, ids, rule.k))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        stage = self.stages.setdefault(name, Stage())
        started, tokens, scored = time.monotonic(), self.tally.tokens, self.tally.scored
        try:
            yield
        finally:
            stage.seconds += time.monotonic() - started
            stage.tokens += self.tally.tokens - tokens
            stage.scored += self.tally.scored - scored


def _tightest(contexts: Sequence[RewardContext]) -> RewardContext:
    """Of several reward models' contexts the one with the least room."""
    return min(contexts, key=lambda context: float("inf") if context.limit is None else context.limit)
