"""The chat template of a run's policy, for exports that apply it and for counting what a trainer will see."""

from __future__ import annotations

from pathlib import Path

from evolve.run import Run
from generation.chat import load_chat
from generation.checkpoint import resolve
from generation.conversation import ChatTokenizer
from generation.template import template_arguments
from generation.turns import closing_token
from prompts.errors import UserError


def policy_template(run: Run) -> tuple[ChatTokenizer, str]:
    """Tokenizer and template of the run's policy, and the text that ends its turns. No weights are read.

    Raises `UserError` where the policy has none, or its folder is gone: a run keeps rows, not models.
    """
    policy = run.recipe.policy
    if policy.model == "fake":
        raise UserError("The policy of this run is the fake one, which has no chat template.")
    try:
        folder = Path(resolve(policy.model, weights=False))
    except UserError as error:
        raise UserError(
            f"The tokenizer and chat template of the policy {policy.model} are needed, and a run keeps neither: {error}"
        ) from error
    chat = load_chat(folder, arguments=template_arguments(policy.chat_template_kwargs, policy.template_date)).tokenizer
    closing = closing_token(chat)
    end = chat.tokenizer.eos_token if closing is None else chat.tokenizer.convert_ids_to_tokens(closing)
    if not end:
        raise UserError(f"{folder}: nothing says which token ends a turn, so no response can be ended by it.")
    return chat, str(end)
