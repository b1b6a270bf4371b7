"""How much of a context a prompt may fill."""

from __future__ import annotations

RESPONSE_ROOM = 256  # tokens that a prompt must leave for its response, or a quarter of a small context


def response_room(context: int) -> int:
    """Tokens that a prompt must leave for its response in a context of so many tokens."""
    return min(RESPONSE_ROOM, context // 4)
