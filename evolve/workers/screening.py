"""What becomes of a rewrite: filtered, rendered, and held against the contexts of both models."""

from __future__ import annotations

from dataclasses import dataclass

from evolve.views.verdicts import TOO_LONG_FOR_REWARD
from generation import Chat, Completion, TemplateRefused
from generation.context import response_room
from prompts import Message, Prompt, RewriteTemplate, filters
from prompts.reasons import KEPT
from rewards.limits import PromptContext

TEMPLATE_REFUSED = "template_refused"


@dataclass(frozen=True)
class Screening:
    """`context_length` of the policy and `max_tokens` of a response bound a prompt; so does the reward model."""

    chat: Chat
    context_length: int
    max_tokens: int
    reward_context: PromptContext

    @property
    def prompt_limit(self) -> int:
        """The longest prompt in tokens: the policy's context less room for a response."""
        return self.context_length - min(response_room(self.context_length), self.max_tokens)

    def judge(self, parent: Prompt, template: RewriteTemplate, completion: Completion) -> tuple[Prompt, str, list[int]]:
        """The child, its verdict, and its token ids if it has passed so far as to be rendered."""
        text = filters.clean(completion.text, parent)
        child = parent.with_instruction(text, template.strategy)
        verdict = filters.verdict(parent, text, template, completion.finish_reason)
        if verdict != KEPT:
            return child, verdict, []
        try:
            ids = self.chat.render(child.messages)
        except TemplateRefused:
            return child, TEMPLATE_REFUSED, []
        if filters.too_long(len(ids), self.prompt_limit):
            return child, filters.TOO_LONG, ids
        if not self._leaves_room_for_reward(child.messages):
            return child, TOO_LONG_FOR_REWARD, ids
        return child, verdict, ids

    def _leaves_room_for_reward(self, messages: list[Message]) -> bool:
        try:
            return self.reward_context.leaves_room(messages)
        except TemplateRefused:
            return True  # each response will have that as its error
