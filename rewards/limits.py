"""How much room a prompt leaves for a response under a reward model, known without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from generation.context import RESPONSE_ROOM, response_room
from generation.conversation import ChatTokenizer, TemplateRefused
from prompts import Message
from prompts.errors import UserError


class PromptContext(Protocol):
    """How much room a prompt leaves for a response under a reward model, known without its weights.

    `limit` is the most tokens of prompt, template and response together that the model scores (None: no known limit).
    It is known at once; a tokenizer is loaded when something is to be counted.
    """

    @property
    def limit(self) -> int | None: ...

    def load(self) -> None:
        """Load the tokenizer now: what is wrong with it is to be said before work begins. Raises UserError."""
        ...

    def room(self, messages: Sequence[Message]) -> int | None:
        """Tokens left for the text of a response, None without a limit. Raises TemplateRefused."""
        ...

    def leaves_room(self, messages: Sequence[Message]) -> bool:
        """Whether a response still fits (generation.context.response_room). Raises TemplateRefused."""
        ...


def load_chat(folder: Path, *, compat: bool = False, arguments: Mapping[str, Any] | None = None) -> ChatTokenizer:
    """The tokenizer of a reward model that reads conversations. Raises UserError if it has no chat template."""
    chat = ChatTokenizer(folder, compat=compat, arguments=arguments)
    if not chat.tokenizer.chat_template:
        raise UserError(
            f"{folder}: the tokenizer has no chat template, which says how a conversation is written for this model. "
            "Put the model's chat_template.jinja into the folder."
        )
    chat.check([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}])
    return chat


class ChatContext:
    """The context of a model that reads conversations through a chat template."""

    def __init__(self, limit: int, folder: Path, arguments: Mapping[str, Any] | None = None) -> None:
        self.limit, self.folder, self.arguments = limit, folder, arguments

    @cached_property
    def chat(self) -> ChatTokenizer:
        return load_chat(self.folder, arguments=self.arguments)

    def load(self) -> None:
        _ = self.chat

    def room(self, messages: Sequence[Message]) -> int:
        """Tokens left for a response's text, one kept for the token that ends the turn."""
        ids = self.chat.encode([messages], generation_prompt=True)[0]
        if isinstance(ids, str):
            raise TemplateRefused(ids)
        return max(0, self.limit - len(ids) - 1)

    def leaves_room(self, messages: Sequence[Message]) -> bool:
        n_bytes = sum(len(message["content"].encode("utf-8", "surrogatepass")) + 64 for message in messages)
        if n_bytes <= self.limit - RESPONSE_ROOM:  # a token is at least a byte: no need to count
            return True
        return self.room(messages) >= response_room(self.limit) - 1


class NoLimit:
    """The context of a model whose limit is not known here, such as a judge behind a server."""

    limit: None = None

    def load(self) -> None:
        """Nothing to load."""

    def room(self, messages: Sequence[Message]) -> None:
        return None

    def leaves_room(self, messages: Sequence[Message]) -> bool:
        return True
