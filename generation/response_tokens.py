"""Which tokens a response is: prompt and response as the policy's chat template writes them, up to the end of the turn.

The rule. A response's tokens are those of the rendered conversation that follow the generation prompt, up to and with
the token that closes the turn; what a template writes after that (a line end) is never sampled and is not counted. A
sampled response ends with the same token when it ended by itself, and without it when it was cut: so sums of
log-probabilities of sampled and of given responses count the same things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from generation.conversation import ChatTokenizer, TemplateRefused, encodable
from generation.turns import closing_token, stop_tokens
from prompts import Message
from prompts.errors import UserError

TEMPLATE_DIFFERS = "template_differs"
# How template and text disagree: the template changes the text (trims it, adds to it), or text and generation prompt
# become other tokens side by side than they are apart, as the policy reads them; of a sampled response, whose text does
# not become as many tokens again as were sampled.
Note = Literal["", "template_changes_text", "tokens_merge", "other_tokens"]


@dataclass(frozen=True, slots=True)
class Said:
    """A response: given as text (`sampled` False), or sampled, with its thoughts and its token ids where they are kept.

    `ended`: whether the turn was closed. `n_tokens` cuts a response that was not, if there are more of them.
    """

    text: str
    ended: bool = True
    sampled: bool = False
    thoughts: str | None = None
    token_ids: tuple[int, ...] = ()
    n_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Token ids of a conversation, of which the first `n_prompt` are the prompt's, and the next `n_thoughts` thoughts;
    `ended` whether the last one closes the turn.
    """

    ids: list[int]
    n_prompt: int
    n_thoughts: int = 0
    ended: bool = True
    note: Note = ""


class ResponseTokens:
    """Turns responses into token ids by the chat template of a policy."""

    def __init__(self, chat: ChatTokenizer) -> None:
        self.chat = chat
        closing = closing_token(chat)
        # A template that closes no turn: the policy ends it all the same, by its end of text.
        self.closed_by_template = closing is not None
        ends = [closing] if closing is not None else sorted(stop_tokens(chat))
        if not ends:
            raise UserError(
                f"{chat.folder}: nothing says which token ends a turn. Write eos_token_id into config.json."
            )
        self.closing: int = ends[0]
        self._closing_text = str(chat.tokenizer.convert_ids_to_tokens(self.closing))

    def turns(self, messages: Sequence[Message], responses: Sequence[Said]) -> list[Turn | str]:
        """Each response to a prompt as a `Turn`, or the reason why it is none ("template_refused", "bad_unicode",
        "special_strings" or "template_differs": the template does not write what it promised the policy to go on from).
        """
        prompt = self.chat.encode([messages], generation_prompt=True)[0]
        if isinstance(prompt, str):
            return [prompt for _ in responses]
        spoken = [[*messages, Message(role="assistant", content=said.text)] for said in responses]
        turns: list[Turn | str] = []
        for said, ids in zip(responses, self.chat.encode(spoken), strict=True):
            given = self._given(messages, prompt, said, ids)
            turns.append(self._sampled(prompt, said, given) if said.sampled else given)
        return turns

    def _given(self, messages: Sequence[Message], prompt: list[int], said: Said, ids: list[int] | str) -> Turn | str:
        if isinstance(ids, str):
            return ids
        note: Note = ""
        if ids[: len(prompt)] != prompt:
            apart = self._apart(messages, said.text)
            if apart is None:
                return TEMPLATE_DIFFERS
            tail, note = apart, "tokens_merge"
        else:
            tail = ids[len(prompt) :]
        if self.closing in tail:
            tail = tail[: tail.index(self.closing)]
        elif self.closed_by_template:
            return TEMPLATE_DIFFERS
        if not note and self._text(tail) != said.text:
            note = "template_changes_text"
        if said.ended:
            tail = [*tail, self.closing]
        elif said.n_tokens is not None and not said.sampled:
            tail = tail[: said.n_tokens]
        return Turn([*prompt, *tail], len(prompt), 0, said.ended, note)

    def _apart(self, messages: Sequence[Message], text: str) -> list[int] | None:
        """Ids of what the template writes after the generation prompt, tokenized apart from it, if that is the text."""
        try:
            asked = self.chat.render(messages, generation_prompt=True)
            whole = self.chat.render([*messages, Message(role="assistant", content=text)])
        except TemplateRefused:
            return None
        if not whole.startswith(asked):
            return None
        body = whole[len(asked) :]
        if self.closed_by_template:
            body = body.rpartition(self._closing_text)[0]
        return [*self.chat.text_ids(body), self.closing] if body.strip() == text.strip() else None

    def _sampled(self, prompt: list[int], said: Said, given: Turn | str) -> Turn | str:
        """As the policy sampled it: its own tokens where they are kept and this tokenizer's; else of the template's
        tokens and those of the bare text the first that are as many as were sampled.
        """
        if not encodable((said.thoughts or "") + said.text):
            return "bad_unicode"
        # The tags of thoughts are control tokens where the vocabulary has them.
        before = self.chat.text_ids(said.thoughts, special=True) if said.thoughts else []
        end = [self.closing] * said.ended
        found = [[*before, *self.chat.text_ids(said.text), *end]]
        if not before and isinstance(given, Turn) and given.note != "template_changes_text":
            found.insert(0, given.ids[len(prompt) :])
        if said.token_ids and not before and self._say(said.token_ids, said):
            found.insert(0, list(said.token_ids))
        same = next((ids for ids in found if said.n_tokens in (None, len(ids))), None)
        note: Note = "other_tokens" if same is None else ""
        return Turn([*prompt, *(same or found[0])], len(prompt), len(before), said.ended, note)

    def _say(self, ids: Sequence[int], said: Said) -> bool:
        """Whether kept ids are of this tokenizer: then they say the text."""
        return self._text(list(ids[: len(ids) - said.ended])) == said.text

    def _text(self, ids: list[int]) -> str:
        return str(self.chat.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
