"""A recipe with the identities that follow from it: kept for each iteration of a run, and all that a view needs."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evolve.recipe.definite import definite, pins
from evolve.recipe.identity import Maker, dataset_of, reference_of, rewards_of, sampler_of, x_of
from evolve.recipe.sections import Recipe
from generation.engines.options import moving_tokens
from prompts import RewriteTemplate, load_rewrite_templates
from rewards.loading import context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resolved:
    """A definite recipe, who makes its rows, the wording of its rewriting templates, which X, the tightest context of
    its reward models in tokens, and the names of the Hub that the run has looked up, with their commits.
    """

    recipe: Recipe
    sampler: Maker
    rewards: list[Maker]
    templates: dict[str, RewriteTemplate]
    x_id: str
    reward_limit: int | None
    reference: Maker | None = None
    pins: dict[str, str] = field(default_factory=dict)

    @property
    def made_of(self) -> str:
        """Identity of all that a dataset depends on beside the selection."""
        return dataset_of(self.x_id, self.templates.values(), self.sampler, self.rewards, self.recipe, self.reference)

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "sampler": asdict(self.sampler),
            "rewards": [asdict(maker) for maker in self.rewards],
            "templates": {name: template.text for name, template in self.templates.items()},
            "x": self.x_id,
            "reward_limit": self.reward_limit,
            "reference": asdict(self.reference) if self.reference else None,
            "pins": self.pins,
        }


def from_json(data: dict[str, Any]) -> Resolved:
    """What `as_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
    return Resolved(
        Recipe.model_validate(data["recipe"]),
        Maker(**data["sampler"]),
        [Maker(**maker) for maker in data["rewards"]],
        {name: RewriteTemplate(name, text) for name, text in data["templates"].items()},
        str(data["x"]),
        data["reward_limit"],
        Maker(**data["reference"]) if data.get("reference") else None,
        dict(data.get("pins", {})),
    )


def resolve_recipe(recipe: Recipe, kept: Resolved | None, first: Resolved | None) -> Resolved:
    """`recipe` as it is to be run now: every model's files are looked at.

    `kept` is what this iteration, or the one before it, was resolved to; `first` the first iteration's where this is a
    later one. X is that of `first` if it is drawn in the same way, whatever its source holds by now.
    """
    asked, pinned = recipe, kept.pins if kept else {}
    recipe = definite(asked, kept.recipe if kept else None, pinned)
    pinned = pinned | pins(asked, recipe)
    x_id = x_of(recipe)
    if first and x_id != first.x_id and _draws(first.recipe) == _draws(recipe):
        log.warning("%s has changed since X was drawn from it. X stays as it is.", recipe.prompts.source)
        x_id = first.x_id
    makers = sampler_of(recipe), rewards_of(recipe)
    return Resolved(recipe, *makers, _templates(recipe), x_id, _tightest(recipe), reference_of(recipe), pinned)


def reread(recipe: Recipe, kept: Resolved) -> Resolved:
    """`recipe`, the kept one with some keys changed, from what was kept: no file of a model or of prompts is needed.

    Only a section that differs from the kept one is resolved anew.
    """
    same_reward = _scores(recipe) == _scores(kept.recipe)
    same_reference = recipe.reference == kept.recipe.reference
    same_templates = recipe.rewriting.templates == kept.recipe.rewriting.templates
    same_templates = same_templates and set(recipe.rewriting.strategies) <= set(kept.templates)
    same = same_reward and same_reference and _samples(recipe) == _samples(kept.recipe)
    changed = recipe if same else definite(recipe, kept.recipe, kept.pins)
    return Resolved(
        recipe=changed,
        sampler=kept.sampler if _samples(recipe) == _samples(kept.recipe) else sampler_of(changed),
        rewards=[maker.among(recipe.sampling.n) for maker in kept.rewards] if same_reward else rewards_of(changed),
        templates={name: kept.templates[name] for name in recipe.rewriting.strategies}
        if same_templates
        else _templates(recipe),
        x_id=kept.x_id if _draws(recipe) == _draws(kept.recipe) else x_of(changed),
        reward_limit=kept.reward_limit if same_reward else _tightest(changed),
        reference=kept.reference if same_reference else reference_of(changed),
        pins=kept.pins | pins(recipe, changed),
    )


def _draws(recipe: Recipe) -> Any:
    """What decides how X is drawn."""
    return recipe.prompts, recipe.policy.system_prompt


def _samples(recipe: Recipe) -> Any:
    """What may decide what the policy samples. How many samples, and how many at once, does not."""
    engine = moving_tokens(recipe.policy.engine)
    only_runs = {"in_flight": 1, "keep_token_ids": False, "system_prompt": None, "engine": engine, "deadline": 1.0}
    only_runs["servers"] = bool(recipe.policy.servers)
    policy = recipe.policy.model_copy(update=only_runs)
    return policy, recipe.sampling.model_copy(update={"n": 2})


def _scores(recipe: Recipe) -> Any:
    """What may decide what the reward models say. How several are combined does not, nor where they run."""
    only_views = {"combine": "mean", "penalty": 1.0}
    return recipe.reward.model_copy(update={"batch_tokens": None, "devices": "one"} | only_views)


def _templates(recipe: Recipe) -> dict[str, RewriteTemplate]:
    own = recipe.rewriting.templates
    return load_rewrite_templates(Path(own) if own else None, recipe.rewriting.strategies)


def _tightest(recipe: Recipe) -> int | None:
    limits = [context(model).limit for model in (recipe.reward.model, *recipe.reward.ensemble)]
    return min((limit for limit in limits if limit is not None), default=None)
