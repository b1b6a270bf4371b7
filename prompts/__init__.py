"""Prompts: the record, its identity, likeness, and the EvolInstruct templates."""

from prompts.ids import content_id, linked_ids
from prompts.likeness import conversation_key, duplicate_key, turns_key
from prompts.record import Message, Prompt, prompt_id
from prompts.templates import STRATEGIES, RewriteTemplate, load_rewrite_templates, rewrite_messages

__all__ = [
    "STRATEGIES",
    "Message",
    "Prompt",
    "RewriteTemplate",
    "content_id",
    "conversation_key",
    "duplicate_key",
    "linked_ids",
    "load_rewrite_templates",
    "prompt_id",
    "rewrite_messages",
    "turns_key",
]
