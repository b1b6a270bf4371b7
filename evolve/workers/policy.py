"""The policy of a recipe: its folder, its engine and its chat template."""

from __future__ import annotations

import logging
import zlib

from evolve.recipe.sections import Recipe
from generation import Chat, Engine, load_chat
from generation.checkpoint import check_config, resolve
from generation.engine import is_fake
from generation.engines.restart import RestartingEngine
from generation.template import template_arguments
from generation.turns import missing_stop

log = logging.getLogger(__name__)


def make_policy(recipe: Recipe) -> tuple[Engine, Chat]:
    """The engine, not yet started, and the chat of the recipe's policy."""
    policy = recipe.policy
    if is_fake(policy.model):
        from generation.engines.fake import OPTIONS, FakeChat, FakeEngine

        # Others are vLLM's: a recipe for it can be run dry as it is.
        options = {name: policy.engine[name] for name in OPTIONS if name in policy.engine}
        tags = policy.thought_tags
        if trained := policy.model.partition(":")[2]:  # says other things than the policy it was trained from
            options.setdefault("life", zlib.crc32(trained.encode()))
        fake = FakeEngine(policy.max_model_len or 65_536, **options, thought_tags=tags)
        return RestartingEngine(fake), FakeChat(tags)
    from generation.engines.vllm import VllmEngine

    folder = resolve(policy.model)
    check_config(folder)
    arguments = template_arguments(policy.chat_template_kwargs, policy.template_date)
    chat = load_chat(folder, arguments=arguments, thought_tags=policy.thought_tags)
    stop = missing_stop(chat.tokenizer)
    if stop is not None:
        log.warning(
            "The chat template of %s ends a turn with %s, which its generation_config.json and tokenizer do not name "
            "as the end: responses stop there as well.",
            policy.model,
            chat.tokenizer.tokenizer.convert_ids_to_tokens(stop),
        )
    engine = VllmEngine(
        str(folder), dtype=policy.dtype, max_model_len=policy.max_model_len, options=policy.engine, stop=stop
    )
    return RestartingEngine(engine), chat
