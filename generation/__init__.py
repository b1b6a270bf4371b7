"""What a policy can do: chat rendering, the engines, completions with their log-probabilities."""

from generation.chat import Chat, load_chat
from generation.conversation import TemplateRefused
from generation.engine import (
    Completion,
    Engine,
    EngineDied,
    EngineFailed,
    Request,
    RequestDeadly,
    RequestRefused,
    seed_from,
)

__all__ = [
    "Chat",
    "Completion",
    "Engine",
    "EngineDied",
    "EngineFailed",
    "Request",
    "RequestDeadly",
    "RequestRefused",
    "TemplateRefused",
    "load_chat",
    "seed_from",
]
