"""Prompts: the record, its identity, and the EvolInstruct templates."""

from prompts.ids import content_id
from prompts.record import Message, Prompt, prompt_id

__all__ = ["Message", "Prompt", "content_id", "prompt_id"]
