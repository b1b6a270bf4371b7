"""The chat template of a run's policy, for exports that apply it and for counting what a trainer will see."""

from __future__ import annotations

from dataclasses import dataclass

from evolve.run import Run
from generation.checkpoint import resolve
from generation.conversation import ChatTokenizer
from generation.engine import is_fake
from generation.template import template_arguments
from generation.turns import closing_token
from prompts.errors import UserError


@dataclass(frozen=True)
class PolicyTemplate:
    """Tokenizer and template of a policy, as a trainer reads them, and what ends a turn, by id and as text."""

    chat: ChatTokenizer
    end_id: int
    end: str

    @property
    def text(self) -> str:
        return str(self.chat.tokenizer.chat_template)


def policy_template(run: Run) -> PolicyTemplate:
    """The template of the run's policy. No weights are read.

    Raises `UserError` where the policy has none, or its folder is gone: a run keeps rows, not models.
    """
    policy = run.recipe.policy
    if is_fake(policy.model):
        raise UserError("The policy of this run is the fake one, which has no chat template.")
    try:
        folder = resolve(policy.model, weights=False)
    except UserError as error:
        raise UserError(
            f"The tokenizer and chat template of the policy {policy.model} are missing, and a run keeps neither: "
            f"put the folder back. {error}"
        ) from error
    arguments = template_arguments(policy.chat_template_kwargs, policy.template_date)
    chat = ChatTokenizer(folder, compat=True, arguments=arguments)
    if not chat.tokenizer.chat_template:
        raise UserError(f"The tokenizer in {folder} has no chat template.")
    end_id = closing_token(chat)
    end_id = chat.tokenizer.eos_token_id if end_id is None else end_id
    if end_id is None:
        raise UserError(f"{folder}: nothing says which token ends a turn, so no response can be ended by it.")
    return PolicyTemplate(chat, end_id, str(chat.tokenizer.convert_ids_to_tokens(end_id)))
