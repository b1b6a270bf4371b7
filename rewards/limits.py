"""How much room a prompt leaves for a response under a reward model, known without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generation.conversation import ChatTokenizer, TemplateRefused
from prompts import Message
from prompts.errors import UserError


class PromptContext(Protocol):
    """How much room a prompt leaves for a response under a reward model, known without its weights.

    `limit` is the most tokens of prompt, template and response together that the model scores (None: no known limit).
    """

    @property
    def limit(self) -> int | None: ...

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt up to where a response begins. Raises TemplateRefused if it can't be rendered."""
        ...

    def room(self, messages: Sequence[Message]) -> int | None:
        """Tokens left for the text of a response: None without a limit, 0 if nothing fits or the template refuses."""
        ...


def load_chat(folder: Path, *, compat: bool = False) -> ChatTokenizer:
    """The tokenizer of a reward model that reads conversations. Raises UserError if it has no chat template."""
    chat = ChatTokenizer(folder, compat=compat)
    if not chat.tokenizer.chat_template:
        raise UserError(
            f"{folder}: the tokenizer has no chat template, which says how a conversation is written for this model. "
            "Put the model's chat_template.jinja into the folder."
        )
    return chat


@dataclass(frozen=True, slots=True)
class ChatContext:
    """The context of a model that reads conversations through a chat template."""

    limit: int
    chat: ChatTokenizer

    def count(self, messages: Sequence[Message]) -> int:
        ids = self.chat.encode([messages], generation_prompt=True)[0]
        if isinstance(ids, str):
            raise TemplateRefused(ids)
        return len(ids)

    def room(self, messages: Sequence[Message]) -> int:
        try:
            return max(0, self.limit - self.count(messages) - 1)  # one for the token that ends the turn
        except TemplateRefused:
            return 0


@dataclass(frozen=True, slots=True)
class NoLimit:
    """The context of a model whose limit is not known here, such as a judge behind a server."""

    limit: None = None

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message["content"].encode()) for message in messages)  # bytes: no tokenizer has more tokens

    def room(self, messages: Sequence[Message]) -> None:
        return None
