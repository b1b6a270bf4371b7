"""Reasoning policies: what was thought, and what was answered.

Templates strip the thoughts of earlier turns, so a trainer that is given them with a response may never see them, and
two responses that differ in their thoughts alone look equal. A response is split where its template would cut it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from generation.conversation import ChatTokenizer
from generation.engine import Completion

Tags = tuple[str, str]
KNOWN: tuple[Tags, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)


def tags_of(template: str) -> Tags | None:
    """Opening and closing tag of the thoughts that a chat template knows of."""
    return next((tags for tags in KNOWN if tags[1] in template), None)


class Thoughts:
    """Splits the completions of a policy whose thoughts stand between two tags, or before the closing one alone where
    the template has opened them already.
    """

    def __init__(self, chat: ChatTokenizer, tags: Tags) -> None:
        self._tokenizer = chat.tokenizer
        self.opening, self.closing = tags
        # Strings of tokens that are called special are left out of an engine's text.
        self._hidden = any(special in self.closing for special in chat.called_special)
        asked = chat.render([{"role": "user", "content": "Why?"}], generation_prompt=True)
        self._open_from_start = asked.rfind(self.opening) > asked.rfind(self.closing)

    def split(self, completion: Completion) -> Completion:
        """The completion with the answer as its text, and thoughts and text together all that was sampled.

        Thoughts that were never ended are no answer: the text is empty.
        """
        ids = completion.token_ids
        stopped = completion.finish_reason == "stop"
        said = self._shown(ids[: len(ids) - stopped]) if self._hidden else completion.text
        if not (self._open_from_start or said.lstrip().startswith(self.opening)):
            return completion
        end = said.rfind(self.closing)
        if end < 0:
            return _with_thoughts(completion, said, "", len(ids))
        answer = said[end + len(self.closing) :].lstrip()
        n = self._tokens_to_the_answer(ids)
        if self._hidden:
            answer = str(self._tokenizer.decode(list(ids[n : len(ids) - stopped]), skip_special_tokens=True)).lstrip()
        return _with_thoughts(completion, said[: len(said) - len(said[end + len(self.closing) :].lstrip())], answer, n)

    def _tokens_to_the_answer(self, ids: tuple[int, ...]) -> int:
        """How many tokens come before the answer: to the end of the last closing tag, and of the white space after."""
        total = self._shown(ids).count(self.closing)
        n = bisect_left(range(len(ids)), total, key=lambda k: self._shown(ids[:k]).count(self.closing))
        while n < len(ids) and not self._shown(ids[n : n + 1]).strip():
            n += 1
        return n

    def _shown(self, ids: tuple[int, ...]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))


def _with_thoughts(completion: Completion, thoughts: str, answer: str, n: int) -> Completion:
    return replace(
        completion, text=answer, thoughts=thoughts, thought_tokens=n, thought_logp=float(sum(completion.logps[:n]))
    )
