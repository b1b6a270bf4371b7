"""Teacher forcing in this process: existing preference data into a run of its own, a reference model on any run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from evolve.executors import local
from evolve.pool.pool import Pool
from evolve.recipe import stored
from evolve.recipe.definite import definite
from evolve.recipe.fingerprint import GIVEN, source_digests
from evolve.recipe.identity import Maker, forced_sampler_of, reference_of, rewards_of, x_of
from evolve.recipe.resolved import Resolved, reread
from evolve.recipe.sections import Recipe
from evolve.sources.hub import at_commit
from evolve.sources.preferences import Preferences, open_preferences
from evolve.watch.tally import Tally
from evolve.workers.given import GivenWorker, draw_given
from evolve.workers.refer import agreement, refer_missing, unreferred
from generation.engine import is_fake
from generation.logprobs import Forcing, load_forcing
from generation.template import template_arguments
from prompts import content_id, load_rewrite_templates
from prompts.errors import UserError

log = logging.getLogger(__name__)

N_COMPARED = 64  # responses on which teacher forcing is held to the sampling


def score_data(
    recipe: Recipe,
    folder: Path,
    *,
    named: Mapping[str, str],
    all_responses: bool,
    head: str,
    truncate: bool,
    batch_tokens: int | None,
    tally: Tally,
) -> Resolved:
    """Score existing preference data: `recipe` names the data, the policy, and reward and reference models as far as
    they are wanted. Killed at any moment, the same call goes on from there. Raises `UserError`.
    """
    before = stored.before(folder, 1)
    if before and before.recipe.selection.pair_rule != GIVEN:
        raise UserError(
            f"{folder} is a run that was grown. Give another name with --run: its rows are not to be mixed."
        )
    recipe = definite(recipe, before.recipe if before else None)
    preferences = open_preferences(
        recipe.prompts.source, split=recipe.prompts.split, named=named, all_responses=all_responses
    )
    source = at_commit(recipe.prompts.source, preferences.source.commit)
    files = source_digests(source, recipe.prompts.split)
    data_id = content_id("data", files or source, recipe.prompts.split, dict(named), all_responses)
    x_id = content_id("given", x_of(recipe), data_id)
    pool = Pool(folder / "pool")
    drawn = pool.description("x", x_id) or draw_given(preferences, recipe.prompts.limit, recipe.prompts.seed)
    given_model = f"{GIVEN}:{data_id}"
    changes: dict[str, Any] = {"sampling": recipe.sampling.model_copy(update={"n": drawn["n"]})}
    if recipe.reward.model == GIVEN:
        if not drawn["with_reward"]:
            raise UserError(
                f"{recipe.prompts.source} has no rewards ({preferences.columns.told}). Give a reward model with "
                "--reward, or name their columns with --column score_chosen=NAME --column score_rejected=NAME."
            )
        changes["reward"] = recipe.reward.model_copy(update={"model": given_model})
    recipe = recipe.model_copy(update=changes)
    forced = forced_sampler_of(recipe, head=head, truncate=truncate)
    sampler = Maker(forced.model, content_id("sampler", forced.settings, data_id), forced.settings | {"data": data_id})
    resolved = Resolved(
        recipe,
        sampler,
        rewards_of(recipe),
        load_rewrite_templates(None, recipe.rewriting.strategies),
        x_id,
        None,
        reference_of(recipe),
    )
    _into_pool(pool, folder, resolved, preferences, drawn, given_model, head, truncate, batch_tokens, tally)
    wanted = set(drawn["ids"])
    if not recipe.reward.model.startswith(GIVEN):
        local.score(pool, resolved, wanted, tally)
    if resolved.reference:
        refer(pool, resolved, wanted, tally)
    pool.close()
    return resolved


def _into_pool(
    pool: Pool,
    folder: Path,
    resolved: Resolved,
    preferences: Preferences,
    drawn: dict[str, Any],
    given_model: str,
    head: str,
    truncate: bool,
    batch_tokens: int | None,
    tally: Tally,
) -> None:
    """Prompts, responses and the data's own rewards of the drawn rows, as far as the pool lacks them."""
    policy = resolved.recipe.policy
    own = given_maker(resolved.recipe, given_model) if drawn["with_reward"] else None

    def load() -> Forcing:
        return load_forcing(
            policy.model,
            dtype=policy.dtype,
            head="float16" if head == "float16" else "float32",
            limit=policy.max_model_len,
            truncate=truncate,
            batch_tokens=batch_tokens,
            arguments=template_arguments(policy.chat_template_kwargs, policy.template_date),
        )

    with ExitStack() as locks:
        locks.enter_context(pool.growing(resolved.sampler.id))
        if own:
            locks.enter_context(pool.scoring(own.id))
            about = {"reward": f"the data's own ({preferences.columns.rewards})", "kind": "scalar"}
            pool.describe("reward", own.id, own.settings | about)
        stored.keep(folder, 1, resolved, resolved.recipe)
        GivenWorker(pool, resolved.sampler, own.id if own else "", load, tally).force_missing(preferences, drawn)
        kept = {name: value for name, value in drawn.items() if name != "bad_rows"}
        pool.describe("x", resolved.x_id, kept | {"columns": preferences.columns.told})
    for told in drawn.get("bad_rows", ()):
        log.warning("dropped from %s: %s", resolved.recipe.prompts.source, told)


def given_maker(recipe: Recipe, given_model: str) -> Maker:
    """Who the data's own rewards are of, whatever reward model the recipe names."""
    reward = recipe.reward.model_copy(update={"model": given_model, "ensemble": {}, "dtype": "auto", "compat": False})
    reward = reward.model_copy(update={"chat_template_kwargs": {}, "template_date": None})
    (maker,) = rewards_of(recipe.model_copy(update={"reward": reward}))
    return maker


def refer(pool: Pool, resolved: Resolved, wanted: set[str], tally: Tally) -> int:
    """What the reference model says of all responses to the prompts `wanted`; returns how many were asked about now."""
    recipe, maker = resolved.recipe, resolved.reference
    assert maker is not None
    assert recipe.reference is not None
    load = _loader(recipe, recipe.reference.model, recipe.reference.dtype, recipe.reference.head)
    return refer_missing(pool, resolved.sampler, maker, recipe.sampling.n, wanted, load, tally)


def _loader(recipe: Recipe, model: str, dtype: str, head: Any) -> Callable[[], Forcing]:
    policy = recipe.policy
    batch_tokens = recipe.reference.batch_tokens if recipe.reference else None

    def load() -> Forcing:
        arguments = template_arguments(policy.chat_template_kwargs, policy.template_date)
        return load_forcing(model, dtype=dtype, head=head, batch_tokens=batch_tokens, arguments=arguments)

    return load


def refer_run(folder: Path, recipe: Recipe, iteration: int, tally: Tally) -> tuple[Resolved, dict[str, Any]]:
    """The reference model of `recipe` on all responses of a run's iteration, which names it from then on; and how the
    policy's own teacher forcing agrees with its sampling there, where both are to be had.
    """
    found = stored.kept(folder, iteration)
    assert found is not None, "the recipe was read from it"
    resolved = reread(recipe, found)
    pool = Pool(folder / "pool")
    pool.check_is_there()
    wanted = set(local.readable_prompts(pool, resolved))
    compared = _compare(pool, resolved, wanted)
    refer(pool, resolved, wanted, tally)
    with pool.growing(resolved.sampler.id):
        stored.keep(folder, iteration, resolved, found.recipe)
    pool.close()
    return resolved, compared


def _compare(pool: Pool, resolved: Resolved, wanted: set[str]) -> dict[str, Any]:
    """The policy's teacher-forced log-probabilities of some responses against those it was sampled with; nothing for
    given responses, a policy without weights, and one that is gone.
    """
    recipe, sampler = resolved.recipe, resolved.sampler
    if "method" in sampler.settings or is_fake(recipe.policy.model):
        return {}
    about = pool.description("agreement", sampler.id)
    if about:
        return about
    ids = unreferred(pool, sampler.id, "none", recipe.sampling.n, wanted)
    try:
        forcing = _loader(recipe, recipe.policy.model, recipe.policy.dtype, "float32")()
    except UserError as error:
        log.warning("The policy's sampling is not compared with its teacher forcing: %s", error)
        return {}
    compared = agreement(pool, sampler, ids[:: max(1, len(ids) // N_COMPARED)][:N_COMPARED], forcing)
    pool.describe("agreement", sampler.id, compared)
    return compared
