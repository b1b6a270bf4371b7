"""A run: a recipe on a folder. It has the steps that the algorithms are written in."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from evolve.algorithms import ALGORITHMS
from evolve.executors import forced, local
from evolve.pool.claims import Claims, initial_key
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.recipe import stored
from evolve.recipe.resolved import Resolved, reread, resolve_recipe
from evolve.recipe.sections import Recipe, Selection
from evolve.views.evolved import Evolved, Rewrites, are_in_x, readable
from evolve.views.given import check_given, given_pairs
from evolve.views.guarding import guarded
from evolve.views.known import check_rule
from evolve.views.length_trend import without_length_trend
from evolve.views.outcome import Outcome, Ranking, check_k
from evolve.views.pairs import Missing, Pairs, pairs_of
from evolve.views.ranking import Material, initial, rank
from evolve.views.references import with_references
from evolve.views.responses import Responses, load_responses
from evolve.watch.stages import Stages
from evolve.watch.tally import Tally
from evolve.workers.draw import draw
from evolve.workers.grow import Grower
from evolve.workers.jobs import PolicyJobs, jobs_of
from generation import Chat, Engine
from generation.template import template_arguments
from prompts.errors import UserError
from prompts.reasons import is_owed
from rewards.limits import PromptContext
from rewards.loading import context


@dataclass
class Run:
    """One invocation. `view_only`: no model may be called, so a missing row is an error instead of work."""

    recipe: Recipe
    folder: Path
    iteration: int = 1
    view_only: bool = False
    tally: Tally = field(default_factory=Tally)
    stages: Stages = field(default_factory=Stages)
    defaults: Recipe | None = None  # whose algorithm and selection the run keeps, where these differ for once

    def __post_init__(self) -> None:
        stored.check_iteration(self.iteration)
        self.pool = Pool(self.folder / "pool")
        self.resolved = self._reread() if self.view_only else self._resolve()
        self.defaults = self.defaults or self.recipe
        self.recipe = self.resolved.recipe
        self.sampler, self.rewards = self.resolved.sampler, self.resolved.rewards
        self.templates = self.resolved.templates
        self.n_source, self.dropped_source = 0, Counter[str]()
        self.origins: dict[str, tuple[str, str]] = {}  # of the prompts of X': parent and strategy
        self.length_slope: float | None = None  # reward a token that was taken out

    def _resolve(self) -> Resolved:
        first = stored.kept(self.folder, 1) if self.iteration > 1 else None
        return resolve_recipe(self.recipe, stored.before(self.folder, self.iteration), first)

    def _reread(self) -> Resolved:
        found = stored.kept(self.folder, self.iteration)
        if found is None:
            raise UserError(f"{self.folder} has no iteration {self.iteration} yet. `evolve run` makes it.")
        return reread(self.recipe, found)

    def execute(self) -> Outcome:
        """Run the recipe's algorithm. Raises `Busy` if another process grows this run."""
        algorithm = ALGORITHMS[self.recipe.algorithm]
        if self.recipe.selection.pair_rule == "given":
            check_given(self.folder, None if not self.view_only else self.pool.description("x", self.resolved.x_id))
        check_rule(self.recipe)
        if self.view_only:
            return algorithm(self)
        with self.pool.growing(self.sampler.id):
            stored.keep(self.folder, self.iteration, self.resolved, self.defaults or self.recipe)
            return algorithm(self)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.pool, self.sampler.id)

    @cached_property
    def jobs(self) -> PolicyJobs:
        limit = self.resolved.reward_limit
        return jobs_of(self.recipe, self.pool, self.claims, self.templates, limit, self.tally)

    @cached_property
    def reward_context(self) -> PromptContext:
        """Of several reward models' contexts the one with the least room."""
        reward = self.recipe.reward
        arguments = template_arguments(reward.chat_template_kwargs, reward.template_date)
        contexts = [context(maker.model, arguments=arguments) for maker in self.rewards]
        return min(contexts, key=lambda one: float("inf") if one.limit is None else one.limit)

    @property
    def ranks_combined(self) -> bool:
        return self.recipe.selection.ranked == "combined"

    @cached_property
    def prompts(self) -> list[str]:
        """X: the ids of the initial prompts, in order. Drawn once for a run and fixed for its iterations."""
        drawn = self.pool.description("x", self.resolved.x_id)
        if self.view_only:
            there = bool(drawn) and are_in_x(self.pool, drawn["ids"])
        else:
            there = bool(drawn) and all(self.claims.has(initial_key(one)) for one in drawn["ids"])
        if not there:
            if self.view_only:
                raise UserError(f"{self.folder} has no prompts of this recipe yet. `evolve run` draws them.")
            with self.stages.timed("prompts", self.tally):
                drawn = draw(self.pool, self.claims, self.recipe)
            self.pool.describe("x", self.resolved.x_id, drawn)
        self.n_source, self.dropped_source = drawn["n_in"], Counter(drawn["dropped"])
        return list(drawn["ids"])

    def grow(self, *, sample: Sequence[str] = (), rewrite: Sequence[str] = ()) -> None:
        """Compute what the pool lacks: first all that needs the policy, then, the policy gone, the rewards. A view
        finds out as it reads (`_complete`), and of given pairs `evolve score` has computed what there is.
        """
        if self.view_only or self.recipe.selection.pair_rule == "given":
            return
        wanted, parents = set(sample), set(rewrite)
        self.tally.passed, self.tally.total = 0, self.jobs.count(len(wanted), len(parents))
        jobs = self.jobs.missing(wanted, parents)
        first = next(jobs, None)
        if first is not None:
            check_k(self.recipe, len(self.prompts))
            self.reward_context.load()
            with self.stages.timed("generate", self.tally):
                local.generate(
                    self.recipe, self.pool, self.sampler, itertools.chain([first], jobs), self.grower, self.tally
                )
        with self.stages.timed("reward", self.tally):
            limit, bound = self.resolved.reward_limit, self.recipe.min_content
            read = readable(self.pool, wanted, parents, self.templates, limit, bound)
            local.score(self.pool, self.resolved, read, self.tally)
        if self.resolved.reference:
            with self.stages.timed("reference", self.tally):
                forced.refer(self.pool, self.resolved, read, self.tally)
        for view in ("responses", "texts"):  # of the pool as it was
            self.__dict__.pop(view, None)

    @contextmanager
    def _complete(self) -> Iterator[Callable[[Counter[str]], None]]:
        """A view is made in the block, and its `dropped` handed over: what is missing or owed is an error where no
        model may be called.
        """

        def lacks(what: object) -> UserError:
            return UserError(
                f"{self.folder} lacks rewrites, responses or rewards for this recipe by {self.recipe.algorithm} "
                f"({what}). `evolve run` with the same options computes them. {self._made_so_far()}"
            )

        def check(dropped: Counter[str]) -> None:
            owed = {reason: n for reason, n in dropped.items() if is_owed(reason)}
            if self.view_only and owed:
                raise lacks(f"owed: {owed}")

        try:
            yield check
        except Missing as error:
            raise (lacks(error.missing) if self.view_only else error) from None

    def _made_so_far(self) -> str:
        """By which algorithms this iteration has datasets."""
        found = self.folder.glob(f"iteration-{self.iteration}/*/*/manifest.json")
        names = sorted({path.parts[-3] for path in found})
        return f"There are datasets by {', '.join(names)} (--algo)." if names else "There is no dataset yet."

    def grower(self, engine: Engine, chat: Chat) -> Grower:
        """Who does the jobs, once the policy's engine is started."""
        return Grower(
            self.recipe, self.pool, self.claims, self.templates, engine, chat, self.reward_context, self.tally
        )

    @cached_property
    def responses(self) -> Responses:
        n, rule = self.recipe.sampling.n, self.recipe.selection
        found = load_responses(self.pool, self.sampler.id, self.rewards, n, self.prompts, rule.with_thoughts)
        if rule.length_trend == "remove":
            found, self.length_slope = without_length_trend(found, self.prompts)
        return found

    @cached_property
    def texts(self) -> Lookup:
        return Lookup(self.pool.responses(self.sampler.id), "id")

    def gen_dataset(self, prompt_ids: Sequence[str]) -> Pairs:
        """GenDataset's pairs (D or D'): best against worst of the n responses, and the guard."""
        return self.pairs_by(prompt_ids, self.recipe.selection)

    def pairs_by(self, prompt_ids: Sequence[str], rule: Selection) -> Pairs:
        """The pairs of these prompts by another rule than the recipe's, such as another guard."""
        if rule.pair_rule == "given":
            given = np.array(self.pool.description("x", self.resolved.x_id)["given"]).reshape(-1, 2)
            pairs = given_pairs(self.pool, self.sampler.id, self.responses, prompt_ids, given, rule)
        else:
            with self._complete() as check:
                pairs = pairs_of(self.responses, prompt_ids, rule, self.recipe.sampling.n)
                check(pairs.dropped)
        pairs = guarded(pairs, self.texts, rule)
        if not self.resolved.reference:
            return pairs
        return with_references(pairs, self.pool, self.resolved.reference.id, rule.with_thoughts)

    def rewrites_of(self, parents: Sequence[str]) -> Rewrites:
        """All that EvolInstruct made of `parents`."""
        limit, bound, n = self.resolved.reward_limit, self.recipe.min_content, self.recipe.rewriting.per_strategy
        return Rewrites(self.pool, parents, self.prompts, self.templates, self.sampler.id, n, limit, bound)

    def evol_instruct(self, parents: Sequence[str]) -> Evolved:
        """X' of `parents`, or X'_k."""
        with self._complete() as check:
            evolved = self.rewrites_of(parents).of()
            check(evolved.dropped)
        origins = zip(evolved.parent_ids, evolved.strategies, strict=True)
        self.origins |= dict(zip(evolved.ids, origins, strict=True))
        return evolved

    def top_k(self, pairs: Pairs) -> Ranking:
        """Rank by the recipe's metric and keep k."""
        return self.ranked_by(pairs, self.recipe.selection)

    def ranked_by(self, pairs: Pairs, rule: Selection) -> Ranking:
        """Rank and select by another rule than the recipe's, such as another metric."""
        material = Material(self.responses, lambda prompt_id: self.origins.get(prompt_id) or initial(prompt_id))
        return rank(pairs, rule, self.recipe.sampling.seed, material)
