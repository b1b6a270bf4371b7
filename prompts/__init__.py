"""Prompts: the record, its identity, likeness, and the EvolInstruct templates."""

from prompts.ids import content_id
from prompts.likeness import conversation_key, duplicate_key
from prompts.record import Message, Prompt, prompt_id
from prompts.templates import IN_DEPTH, STRATEGIES, Template, load_templates, rewrite_messages

__all__ = [
    "IN_DEPTH",
    "STRATEGIES",
    "Message",
    "Prompt",
    "Template",
    "content_id",
    "conversation_key",
    "duplicate_key",
    "load_templates",
    "prompt_id",
    "rewrite_messages",
]
