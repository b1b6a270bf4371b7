"""Where a policy's turn ends: the token that its template closes an answer with, and those the engine stops at.

A checkpoint whose generation_config.json names another token than its template writes is common. Its policy ends its
turn, the engine does not see it, and every response runs into the length limit.
"""

from __future__ import annotations

from generation.checkpoint import read_json
from generation.conversation import ChatTokenizer, TemplateRefused
from prompts import Message
from prompts.errors import UserError

_ANSWER = "Yes, 42 of them"  # a text that no template changes


def closing_token(chat: ChatTokenizer) -> int | None:
    """The first control token after an answer, as the template writes it; None where it writes none.

    Some templates close a turn by opening the next one (GLM), so the answer is looked at alone first, then with a
    question after it.
    """
    asked: Message = {"role": "user", "content": "Are there any?"}
    answer: Message = {"role": "assistant", "content": _ANSWER}
    for messages in ([asked, answer], [asked, answer, asked]):
        try:
            text = chat.render(messages)
        except TemplateRefused:
            continue
        _, found, after = text.rpartition(_ANSWER)
        if found and (token := chat.first_control(after)) is not None:
            return token
    return None


def stop_tokens(chat: ChatTokenizer) -> set[int]:
    """The tokens at which vLLM ends a response of this checkpoint by itself."""
    folder = chat.folder
    generation = read_json(folder, "generation_config.json") or read_json(folder, "config.json")
    named = generation.get("eos_token_id")
    ends = [*(named if isinstance(named, list) else [named]), chat.tokenizer.eos_token_id]
    if not all(end is None or (isinstance(end, int) and not isinstance(end, bool)) for end in ends):
        raise UserError(f"{folder}: eos_token_id is {str(named)[:80]}, expected the id of a token or a list of ids.")
    return {end for end in ends if end is not None}


def missing_stop(chat: ChatTokenizer) -> int | None:
    """The token that closes an answer, if the engine would not stop at it.

    Raises UserError where nothing says what ends a turn: every response would run into the length limit.
    """
    closing, stops = closing_token(chat), stop_tokens(chat)
    if closing is None and not stops:
        raise UserError(
            f"{chat.folder}: nothing says which token ends a turn. The chat template writes no control token after an "
            "answer, and neither generation_config.json nor the tokenizer names an eos token. Write eos_token_id into "
            "generation_config.json."
        )
    return closing if closing not in stops else None
