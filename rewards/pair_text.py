"""PairRM's input: three parts, each behind a control token (rewards.models.pairrm says how they are read)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from generation.checkpoint import read_json
from generation.context import response_room
from generation.conversation import ChatTokenizer, TemplateRefused
from prompts import Message
from prompts.errors import UserError
from rewards.protocol import Group

SOURCE_TOKENS, CANDIDATE_TOKENS = 1224, 412
ALL_TOKENS = SOURCE_TOKENS + 2 * CANDIDATE_TOKENS
SOURCE, FIRST, SECOND = "<|source|>", "<|candidate1|>", "<|candidate2|>"
PREFIX_KEYS = {SOURCE: "source_prefix_id", FIRST: "cand1_prefix_id", SECOND: "cand2_prefix_id"}
CONTROLS = 3  # tokens of a part: [CLS], its prefix and [SEP]


@dataclass(frozen=True, slots=True)
class PairInput:
    """Token ids of a prompt and of one response in the place of the first and of the second candidate."""

    source: list[int]
    first: list[int]
    second: list[int]


class PairText:
    """Writes PairRM's input. Also its PromptContext: `limit` counts all three parts."""

    limit = ALL_TOKENS

    def __init__(self, folder: Path, *, compat: bool = False) -> None:
        self.folder, self.compat = folder, compat

    @cached_property
    def chat(self) -> ChatTokenizer:
        chat = ChatTokenizer(self.folder, compat=self.compat, controls=tuple(PREFIX_KEYS))
        if not (chat.tokenizer.cls_token and chat.tokenizer.sep_token):
            raise UserError(
                f"{self.folder}: the tokenizer has no cls_token or no sep_token, which PairRM's input needs."
            )
        config = read_json(self.folder, "config.json", required=True)
        for prefix, key in PREFIX_KEYS.items():
            found = chat.tokenizer.convert_tokens_to_ids(prefix)
            if config.get(key) != found:
                raise UserError(
                    f"{self.folder}: config.json says {key} = {config.get(key)}, the tokenizer {found} for {prefix}."
                )
        return chat

    def load(self) -> None:
        """Raises UserError for a tokenizer that can't write the input, or writes ids that the model does not have."""
        for prefix in PREFIX_KEYS:
            self.chat.check_ids(self._part(prefix, "a", None))

    def texts(self, group: Group) -> list[PairInput | str]:
        """Ids for each response, or its error."""
        try:
            source = self._part(SOURCE, _source_text(group.messages), SOURCE_TOKENS)
        except TemplateRefused:
            source = "template_refused"
        if isinstance(source, str):
            return [source] * len(group.responses)
        room = (ALL_TOKENS - len(source)) // 2
        found: list[PairInput | str] = []
        for text in group.responses:
            first, second = self._part(FIRST, text, room), self._part(SECOND, text, room)
            if isinstance(first, str) or isinstance(second, str):
                found.append(first if isinstance(first, str) else str(second))
            else:
                found.append(PairInput(source, first, second))
        return found

    def room(self, messages: Sequence[Message]) -> int:
        """Tokens left for a response's text, 0 if the prompt is too long. Raises TemplateRefused for several turns."""
        ids = self._part(SOURCE, _source_text(messages), None)
        if isinstance(ids, str):
            raise TemplateRefused(ids)
        return max(0, (ALL_TOKENS - len(ids)) // 2 - CONTROLS) if len(ids) <= SOURCE_TOKENS else 0

    def leaves_room(self, messages: Sequence[Message]) -> bool:
        """Whether a response still fits, twice, beside the prompt. Raises TemplateRefused for several turns."""
        wanted = response_room(self.limit)
        n_bytes = len(_source_text(messages).encode("utf-8", "surrogatepass")) + CONTROLS
        # A token is at least a byte: no need to count what is short.
        short = n_bytes <= min(SOURCE_TOKENS, ALL_TOKENS - 2 * (wanted + CONTROLS))
        return short or self.room(messages) >= wanted

    def _part(self, prefix: str, text: str, limit: int | None) -> list[int] | str:
        tokenizer = self.chat.tokenizer
        ids = self.chat.encode_between(tokenizer.cls_token + prefix, text, tokenizer.sep_token)
        if limit is None or isinstance(ids, str) or len(ids) <= limit:
            return ids
        return [*ids[: limit - 1], ids[-1]] if self.compat else "too_long"


def _source_text(messages: Sequence[Message]) -> str:
    if [message["role"] for message in messages] not in (["user"], ["system", "user"]):
        raise TemplateRefused("PairRM reads one user turn, with a system message or without.")
    return "\n".join(message["content"] for message in messages)
