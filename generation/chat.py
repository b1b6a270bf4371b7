"""From messages to token ids, by the policy's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from prompts import Message
from prompts.errors import UserError


class TemplateRefused(Exception):
    """The chat template takes no such conversation (a system message for Gemma, roles that do not alternate)."""


class Chat(Protocol):
    """Renders a conversation that ends with a user turn to the token ids from which the policy continues."""

    def render(self, messages: Sequence[Message]) -> list[int]: ...


class TemplateChat:
    """The chat template of a Hugging Face tokenizer.

    Token ids go to the engine, never a rendered string: tokenizing a rendered string again would put a second BOS in
    front for Llama-3 and Gemma.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise UserError(
                f"The tokenizer of {tokenizer.name_or_path} has no chat template. A policy must be an instruct model; "
                "for a base model put a chat_template.jinja beside its tokenizer."
            )
        self.tokenizer = tokenizer

    def render(self, messages: Sequence[Message]) -> list[int]:
        from jinja2.exceptions import TemplateError

        try:
            ids = self.tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, tokenize=True, return_dict=False
            )
        except TemplateError as error:
            raise TemplateRefused(str(error)) from error
        return list(ids)


def load_chat(model: str, revision: str | None = None) -> TemplateChat:
    """The chat of `model`, a folder or a Hub name. No weights are read and no remote code is run."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No tokenizer could be loaded for the policy {model!r}: {error}. "
            "Give a folder with tokenizer files or the name of a model on the Hub."
        ) from error
    return TemplateChat(tokenizer)
