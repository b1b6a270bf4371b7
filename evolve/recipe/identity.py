"""Who and what made a row: ids of samplers, reward models, X and datasets, hashed from all that can move them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evolve.recipe.fingerprint import fingerprint, source_digests
from evolve.recipe.sections import Recipe
from prompts import RewriteTemplate, content_id


@dataclass(frozen=True)
class Maker:
    """Who makes rows: a sampler or a reward model. `settings` is all that its output depends on; `id` their hash."""

    model: str
    id: str
    settings: dict[str, Any]
    weight: float = 1.0


def sampler_of(recipe: Recipe) -> Maker:
    """The recipe's sampler. The chat template is among the model's files; n is no setting of it, so n can grow."""
    policy, sampling = recipe.policy, recipe.sampling
    settings = {
        "fingerprint": fingerprint(policy.model),
        "dtype": policy.dtype,
        "max_model_len": policy.max_model_len,
        "engine": policy.engine,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    return Maker(policy.model, content_id("sampler", settings), settings)


def rewards_of(recipe: Recipe) -> list[Maker]:
    """The recipe's reward models: the main one, weight 1, then the ensemble's. The batch budget is no setting."""
    reward = recipe.reward
    makers = []
    for model, weight in ({reward.model: 1.0} | reward.ensemble).items():
        settings = {"fingerprint": fingerprint(model), "dtype": reward.dtype, "compat": reward.compat}
        makers.append(Maker(model, content_id("reward", settings), settings, weight))
    return makers


def x_of(recipe: Recipe) -> str:
    """Identity of X: how it is drawn, and from what."""
    config = recipe.prompts
    return content_id("x", config.model_dump(), recipe.policy.system_prompt, source_digests(config.source))


def dataset_of(
    x_id: str, templates: Iterable[RewriteTemplate], sampler: Maker, rewards: Sequence[Maker], recipe: Recipe
) -> str:
    """Identity of all that a dataset depends on beside the selection: X, templates, sampler, reward models, and n."""
    worded = [[template.strategy, template.id] for template in templates]
    scored = [[maker.id, maker.weight] for maker in rewards]
    n = [recipe.sampling.n, recipe.rewriting.per_strategy]
    return content_id("dataset", x_id, worded, sampler.id, scored, n)
