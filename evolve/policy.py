"""The policy of a recipe: its folder, its engine and its chat template."""

from __future__ import annotations

from evolve.identity import is_weightless
from evolve.recipe import Recipe
from generation import Chat, Engine, load_chat
from generation.restart import RestartingEngine
from rewards.checkpoint import resolve


def make_policy(recipe: Recipe) -> tuple[Engine, Chat]:
    """The engine, not yet started, and the chat of the recipe's policy."""
    policy = recipe.policy
    if is_weightless(policy.model):
        from generation.fake import FakeChat, FakeEngine

        return RestartingEngine(FakeEngine(policy.max_model_len or 65_536, **policy.engine)), FakeChat()
    from generation.vllm_engine import VllmEngine

    folder = resolve(policy.model)
    chat = load_chat(str(folder))
    engine = VllmEngine(str(folder), dtype=policy.dtype, max_model_len=policy.max_model_len, options=policy.engine)
    return RestartingEngine(engine), chat
