"""From messages to token ids under a checkpoint's own chat template, with user text kept as text.

Special strings in user text. Chat templates paste user text between control tokens, and tokenizers turn any
`<|eot_id|>`, `[PAD]` or header typed by a user into the control token itself: a response could then end the turn,
move the position at which the reward is read, or choose its own gate. By default text is text: control tokens come
from the template alone, and whatever looks like one inside a message is tokenized as ordinary characters. For every
text without such strings the ids are exactly those of the checkpoint's `apply_chat_template`. `compat=True` gives
those ids for every text, as the released code would.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generation.checkpoint import read_json, reading, shown
from generation.tokenizer import load_tokenizer, make_special
from prompts import Message
from prompts.errors import UserError

ROLES = ("system", "user", "assistant")
SENTINELS = 0xF0000  # supplementary private use area A: no template or `strip` touches these characters


def encodable(text: str) -> bool:
    """False for half of a surrogate pair, which JSON can escape and no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class TemplateRefused(Exception):
    """The chat template raised for this conversation, for instance because it knows no system role."""


class ChatTokenizer:
    """Tokenizer and template of a checkpoint. `specials` are the strings that it turns into control tokens."""

    def __init__(
        self,
        folder: Path,
        *,
        compat: bool = False,
        controls: Sequence[str] = (),
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """`controls` are tokens of the vocabulary to treat as special even if the tokenizer's files do not say so;
        `arguments` what the template is given beside conversations (generation.template).
        """
        self.folder, self.compat, self.arguments = folder, compat, dict(arguments or {})
        with reading(folder, "the tokenizer"):
            self.tokenizer = load_tokenizer(folder)
            added = self.tokenizer.added_tokens_decoder.values()
            self.called_special = {str(token.content) for token in added if token.special}
            make_special(self.tokenizer, controls)
            self._rust = self.tokenizer.backend_tokenizer
            self._rust.no_padding()
            self._rust.no_truncation()
        added = self.tokenizer.added_tokens_decoder.values()
        self.specials = {str(token.content): token for token in added if token.special}
        longest_first = sorted(self.specials, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)) if longest_first else r"(?!)")
        self._pieces_exact: bool | None = None
        self.bos: int | None = self.tokenizer.bos_token_id

    def render(self, messages: Sequence[Message], *, generation_prompt: bool = False) -> str:
        """The template's text. Raises TemplateRefused if the template does, or fails: it is a program, which may divide
        by zero or call itself without end.
        """
        self._check_roles(messages)
        try:
            text = self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=generation_prompt, **self.arguments
            )
        except Exception as error:
            raise TemplateRefused(f"{type(error).__name__}: {shown(error)}") from error
        return str(text)

    def _check_roles(self, messages: Sequence[Message]) -> None:
        """A template pastes a role between control tokens, as it pastes a content: only known roles get there."""
        for message in messages:
            role = str(message["role"])
            known = role in ROLES or (role == "tool" and "tool" in str(self.tokenizer.chat_template))
            if not known:
                raise TemplateRefused(f"role {role[:40]!r}: expected one of {', '.join(ROLES)}")

    def check(self, conversation: Sequence[Message], *, generation_prompt: bool = False) -> None:
        """Raise UserError if the template can't write even this conversation, or the tokenizer not read it: then no
        row has a chance.
        """
        with reading(self.folder, "token ids of a conversation"):
            try:
                self.render(conversation, generation_prompt=generation_prompt)
            except TemplateRefused as error:
                raise UserError(
                    f"{self.folder}: the chat template takes no conversation, not even {len(conversation)} short turns "
                    f"({error}). Mend chat_template.jinja, or the chat_template in tokenizer_config.json."
                ) from error
            self.check_ids(self.encode([conversation], generation_prompt=generation_prompt)[0])

    def check_ids(self, ids: list[int] | str) -> None:
        """Raise UserError if an id of a text (or the reason that it has none) is not of the model's vocabulary."""
        size = read_json(self.folder, "config.json").get("vocab_size")
        if isinstance(size, int) and isinstance(ids, list) and (beyond := [i for i in ids if i >= size]):
            raise UserError(
                f"{self.folder}: the tokenizer has {self.tokenizer.convert_ids_to_tokens(beyond[0])!r} with id "
                f"{beyond[0]}, and the model's vocabulary ends at {size - 1}. A file of theirs is another's."
            )

    def encode(
        self, conversations: Sequence[Sequence[Message]], *, generation_prompt: bool = False
    ) -> list[list[int] | str]:
        """Token ids of each conversation, or the reason: "template_refused", "bad_unicode" or "special_strings".

        The latter only where a tokenizer can't encode a text piece by piece (see `_encode_pieces`) and the text holds
        special strings.
        """
        results: list[list[int] | str] = []
        plain: list[tuple[int, str]] = []
        for i, messages in enumerate(conversations):
            if not all(encodable(message["content"]) for message in messages):
                results.append("bad_unicode")
                continue
            results.append("template_refused")
            try:
                if self.compat or not any(self._special.search(message["content"]) for message in messages):
                    plain.append((i, self.render(messages, generation_prompt=generation_prompt)))
                else:
                    results[i] = self._encode_guarded(messages, generation_prompt)
            except TemplateRefused:
                continue
        for (i, _), ids in zip(plain, self._encode_texts([text for _, text in plain]), strict=True):
            results[i] = self._one_bos(ids)
        return results

    def encode_between(self, before: str, text: str, after: str) -> list[int] | str:
        """Ids of a text between control tokens, without a template; or a reason as in `encode`."""
        if not encodable(text):
            return "bad_unicode"
        if self.compat or not self._special.search(text):
            return self._encode_texts([before + text + after])[0]
        sample = f"{before}Why? Two lines,\n\n of  text: 42{after}"
        if self._encode_pieces(sample, {}) != self._encode_texts([sample])[0]:
            return "special_strings"
        hidden, shown = self._sentinels([text])
        return self._encode_pieces(before + self._special.sub(lambda match: hidden[match[0]], text) + after, shown)

    def first_control(self, text: str) -> int | None:
        """The first control token in a text that a template has written."""
        found = self._special.search(text)
        return self.tokenizer.convert_tokens_to_ids(found[0]) if found else None

    def text_ids(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a bare text without BOS or EOS; control tokens are recognized only if `special`."""
        return self._encode_texts([text], special=special)[0]

    def _encode_texts(self, texts: list[str], *, special: bool = True) -> list[list[int]]:
        self._rust.encode_special_tokens = not special  # the library's name for "encode them as ordinary text"
        return [encoding.ids for encoding in self._rust.encode_batch_fast(texts, add_special_tokens=False)]

    def _one_bos(self, ids: list[int]) -> list[int]:
        doubled = self.bos is not None and not self.compat and ids[:2] == [self.bos, self.bos]
        return ids[1:] if doubled else ids

    def _encode_guarded(self, messages: Sequence[Message], generation_prompt: bool) -> list[int] | str:
        """Hide the contents' special strings behind private characters, render, encode between control tokens."""
        if not self._encode_pieces_is_exact():
            return "special_strings"
        hidden, shown = self._sentinels([message["content"] for message in messages])
        safe: list[Message] = [
            {"role": m["role"], "content": self._special.sub(lambda match: hidden[match[0]], m["content"])}
            for m in messages
        ]
        return self._one_bos(self._encode_pieces(self.render(safe, generation_prompt=generation_prompt), shown))

    def _sentinels(self, texts: list[str]) -> tuple[dict[str, str], dict[int, str]]:
        """For each special string a private character that is in none of `texts`; and the way back, for translate."""
        used = {ord(c) for text in texts for c in text if ord(c) >= SENTINELS}
        free = (code for code in range(SENTINELS, 0x110000) if code not in used)
        hidden = {text: chr(next(free)) for text in self.specials}
        return hidden, {ord(sentinel): text for text, sentinel in hidden.items()}

    def _encode_pieces(self, rendered: str, shown: dict[int, str]) -> list[int]:
        """Encode the control tokens of `rendered` as such and the text between them as text, after `shown` is put back.

        This is how tokenizers treat a text themselves (cut at the special tokens, then each piece apart), save for
        those that mark the start of the whole text.
        """
        ids: list[int] = []
        cuts = [*self._special.finditer(rendered)]
        starts = [0, *(cut.end() for cut in cuts)]
        ends = [*(cut.start() for cut in cuts), len(rendered)]
        for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
            piece = rendered[start:end]
            if k and self.specials[cuts[k - 1][0]].rstrip:
                piece = piece.lstrip()
            if k < len(cuts) and self.specials[cuts[k][0]].lstrip:
                piece = piece.rstrip()
            if piece:
                ids += self._encode_texts([piece.translate(shown)], special=False)[0]
            if k < len(cuts):
                ids.append(self.tokenizer.convert_tokens_to_ids(cuts[k][0]))
        return ids

    def _encode_pieces_is_exact(self) -> bool:
        """Whether encoding piece by piece gives the tokenizer's own ids on a sample of this template."""
        if self._pieces_exact is None:
            sample: list[Message] = [
                {"role": "user", "content": "Why? Two lines,\n\n of  text: 42"},
                {"role": "assistant", "content": "Because \u00e9t\u00e9 \u4e2d.\n"},
            ]
            try:
                text = self.render(sample)
            except TemplateRefused:
                return False
            self._pieces_exact = self._encode_pieces(text, {}) == self._encode_texts([text])[0]
        return self._pieces_exact
