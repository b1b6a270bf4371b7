"""The policy of a recipe: its folder, its engine and its chat template."""

from __future__ import annotations

import logging

from evolve.recipe.sections import Policy, Recipe
from generation import Chat, Engine, load_chat
from generation.chat import TemplateChat
from generation.checkpoint import check_config, resolve
from generation.engines.restart import RestartingEngine
from generation.template import template_arguments
from generation.turns import missing_stop

log = logging.getLogger(__name__)


def make_policy(recipe: Recipe) -> tuple[Engine, Chat]:
    """The engine, not yet started, and the chat of the recipe's policy."""
    policy = recipe.policy
    if policy.model == "fake":
        from generation.engines.fake import OPTIONS, FakeChat, FakeEngine

        # Others are vLLM's: a recipe for it can be run dry as it is.
        options = {name: policy.engine[name] for name in OPTIONS if name in policy.engine}
        tags = policy.thought_tags
        fake = FakeEngine(policy.max_model_len or 65_536, **options, thought_tags=tags)
        return RestartingEngine(fake), FakeChat(tags)
    folder = resolve(policy.model, weights=not policy.servers)
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
    if policy.servers:
        return _served(policy, chat, stop), chat
    from generation.engines.vllm import VllmEngine

    engine = VllmEngine(
        str(folder), dtype=policy.dtype, max_model_len=policy.max_model_len, options=policy.engine, stop=stop
    )
    return RestartingEngine(engine), chat


def _served(policy: Policy, chat: TemplateChat, stop: int | None) -> Engine:
    from generation.engines.server import ServerEngine

    return ServerEngine(
        policy.servers,
        policy.served_model or policy.model,
        chat.tokenizer,
        context=policy.max_model_len,
        deadline=policy.deadline,
        in_flight=policy.in_flight,
        stop=stop,
        without_logprobs=policy.without_logprobs,
    )
