"""The prompt record: a conversation that ends with a user turn, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from prompts.ids import content_id


class Message(TypedDict):
    """One turn of a conversation, as chat templates and trainers know it."""

    role: str
    content: str


def prompt_id(messages: list[Message]) -> str:
    """Identity of a prompt: the hash of its messages. Two prompts with the same messages are the same prompt."""
    return content_id("prompt", [[m["role"], m["content"]] for m in messages])


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt x of the paper. `parent_id` and `strategy` are empty for an initial prompt (X), set for an evolved
    one (X').
    """

    messages: list[Message]
    parent_id: str = ""
    strategy: str = ""

    @property
    def id(self) -> str:
        return prompt_id(self.messages)

    @property
    def instruction(self) -> str:
        """The last user turn: what EvolInstruct rewrites."""
        return self.messages[-1]["content"]

    def with_instruction(self, text: str, strategy: str) -> Prompt:
        """The child whose last user turn is `text`; earlier turns and the system message are kept."""
        return Prompt([*self.messages[:-1], {"role": "user", "content": text}], self.id, strategy)
