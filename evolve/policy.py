"""The policy of a recipe: its folder, its engine and its chat template."""

from __future__ import annotations

from pathlib import Path

from evolve.grow import RewardContext
from evolve.recipe import Recipe
from generation import Chat, Engine, load_chat
from generation.restart import RestartingEngine
from rewards.protocol import RewardModel

FAKE = "fake"


def folder_of(model: str) -> Path | None:
    """The folder of a model, fetched from the Hub if it is a name there; None for the fake."""
    if model == FAKE:
        return None
    from rewards.checkpoint import resolve

    return resolve(model)


def make_policy(recipe: Recipe) -> tuple[Engine, Chat]:
    """The engine, not yet started, and the chat of the recipe's policy."""
    policy = recipe.policy
    folder = folder_of(policy.model)
    if folder is None:
        from generation.fake import FakeChat, FakeEngine

        return RestartingEngine(FakeEngine(policy.max_model_len or 65_536)), FakeChat()
    from generation.vllm_engine import VllmEngine

    chat = load_chat(str(folder))
    engine = VllmEngine(str(folder), dtype=policy.dtype, max_model_len=policy.max_model_len, options=policy.engine)
    return RestartingEngine(engine), chat


class _NoLimit:
    limit: int | None = None

    def count(self, messages: object) -> int:
        return 0


def reward_context(recipe: Recipe) -> RewardContext:
    """How long a conversation the recipe's reward model takes, without loading its weights."""
    if recipe.reward.model == FAKE:
        return _NoLimit()
    import rewards

    return rewards.context(recipe.reward.model)


def load_reward(recipe: Recipe) -> RewardModel:
    if recipe.reward.model == FAKE:
        from rewards.fake import FakeRewardModel

        return FakeRewardModel()
    import rewards

    return rewards.load(recipe.reward.model, dtype=recipe.reward.dtype, batch_tokens=recipe.reward.batch_tokens)
