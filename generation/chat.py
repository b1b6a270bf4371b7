"""From messages to the token ids from which a policy continues, by its own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from generation.conversation import ChatTokenizer, TemplateRefused
from generation.engine import Completion
from generation.thoughts import Tags, Thoughts
from prompts import Message
from prompts.errors import UserError

__all__ = ["Chat", "TemplateChat", "TemplateRefused", "load_chat"]


class Chat(Protocol):
    """Renders a conversation that ends with a user turn to the token ids from which the policy continues."""

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Raises `TemplateRefused` for a conversation that the template does not take (a system message for Gemma)."""
        ...

    def answer(self, completion: Completion) -> Completion:
        """The completion with the thoughts of a reasoning policy apart from its text."""
        ...


class TemplateChat:
    """The chat template of a Hugging Face tokenizer; control tokens come from the template alone.

    Token ids go to the engine, never a rendered string: tokenizing a rendered string again would put a second BOS in
    front for Llama-3 and Gemma, and would take a `<|eot_id|>` that a user typed for the end of the turn.
    """

    def __init__(self, tokenizer: ChatTokenizer, thought_tags: Tags | None = None) -> None:
        self.tokenizer = tokenizer
        self.thoughts = Thoughts(tokenizer, thought_tags) if thought_tags else None

    def render(self, messages: Sequence[Message]) -> list[int]:
        ids = self.tokenizer.encode([messages], generation_prompt=True)[0]
        if isinstance(ids, str):
            raise TemplateRefused(ids)
        return ids

    def answer(self, completion: Completion) -> Completion:
        return self.thoughts.split(completion) if self.thoughts else completion


def load_chat(
    folder: str | Path, *, arguments: Mapping[str, Any] | None = None, thought_tags: Tags | None = None
) -> TemplateChat:
    """The chat of the model in `folder`, its template given `arguments` (generation.template); `thought_tags` are those
    of a reasoning policy (generation.thoughts). No weights are read and no remote code is run.
    """
    tokenizer = ChatTokenizer(Path(folder), arguments=arguments)
    if not tokenizer.tokenizer.chat_template:
        raise UserError(
            f"The tokenizer in {folder} has no chat template. A policy must be an instruct model; for a base model "
            "put a chat_template.jinja beside its tokenizer."
        )
    tokenizer.check([{"role": "user", "content": "Why?"}], generation_prompt=True)
    return TemplateChat(tokenizer, thought_tags)
