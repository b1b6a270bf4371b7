"""What a trainer will see of each pair: where its tokens are others than those sampled, and what its limits cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from generation.conversation import ChatTokenizer

SIDES = ("chosen", "rejected")
IDENTICAL, SIDE_LOST = "identical_when_cut", "side_lost_when_cut"

ENDED, TRIMMED, CONTROLS, OTHERWISE, CUT = "ended", "trimmed", "controls", "otherwise", "cut"
MEANING = {
    ENDED: "a response that the length limit cut off gets an end of turn, which was not sampled",
    TRIMMED: "the template trims white space around a response",
    CONTROLS: "strings in a text become control tokens",
    OTHERWISE: "a response has other tokens than were sampled, for another reason",
    CUT: "prompt or response are cut to the trainer's limits",
}
UNREAD = {TRIMMED: "a response has white space around it, which many templates trim"}

Pair = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """Of a trainer, in tokens: of a prompt, of which the last ones stay, then of prompt and response together, of which
    the first ones stay. `drop`: leave out the pairs that this spoils.
    """

    max_length: int
    max_prompt_length: int | None = None
    drop: bool = False


class Seen:
    """Counts, over the pairs that are exported, what a trainer sees otherwise. A pair counts once for each reason.

    Without the policy's tokenizer (`chat` is None; with compat otherwise, as trainers read) only what the texts tell is
    counted. `cut_off` says of response ids which the length limit ended; `end` is the id that ends a turn.
    """

    def __init__(
        self,
        chat: ChatTokenizer | None,
        end: int | None,
        cut_off: Callable[[list[str]], list[bool]],
        limits: Limits,
    ) -> None:
        self._chat, self._end, self._cut_off, self._limits = chat, end, cut_off, limits
        self.n = 0
        self.dropped: Counter[str] = Counter()
        self.other: Counter[str] = Counter()

    def keep(self, pairs: list[Pair]) -> list[Pair]:
        """Those of `pairs` that are to be exported, in their order; each is counted."""
        cut_off = {side: self._cut_off([pair[f"{side}_id"] for pair in pairs]) for side in SIDES}
        tokens = self._tokens(pairs)
        kept = []
        for i, pair in enumerate(pairs):
            ended = {side: cut_off[side][i] for side in SIDES}
            why = _spoilt(tokens[i], self._limits) if tokens[i] and self._limits.drop else ""
            self.dropped.update([why] if why else [])
            if not why:
                self.other.update(self._reasons(pair, ended, tokens[i]))
                kept.append(pair)
        self.n += len(kept)
        return kept

    def said(self) -> list[str]:
        """What was counted, a line each."""
        limits = f"max length {self._limits.max_length:,}"
        if self._limits.max_prompt_length:
            limits += f", max prompt length {self._limits.max_prompt_length:,}"
        lines = [f"left out, {reason} ({limits}): {n:,} pairs" for reason, n in sorted(self.dropped.items())]
        meaning = MEANING | (UNREAD if self._chat is None else {})
        for reason, text in meaning.items():
            if n := self.other[reason]:
                what = f"{text} ({limits})" if reason == CUT else text
                lines.append(f"other tokens than were sampled in {n:,} of {self.n:,} pairs: {what}")
        if self._chat is not None and not self.other:
            lines.append(f"no pair is known, of {self.n:,}, in which a trainer sees other tokens than were sampled")
        return lines

    def _tokens(self, pairs: list[Pair]) -> list[list[list[int]]]:
        """Of each pair the ids of the prompt and of both conversations, as a trainer has them; none where the template
        refuses one.
        """
        if self._chat is None:
            return [[] for _ in pairs]
        asked = self._chat.encode([pair["prompt"] for pair in pairs], generation_prompt=True)
        both = [self._chat.encode([pair["prompt"] + pair[side] for pair in pairs]) for side in SIDES]
        rows = []
        for three in zip(asked, *both, strict=True):
            whole = [ids for ids in three if not isinstance(ids, str)]
            rows.append(_divided(*whole) if len(whole) == 3 else [])
        return rows

    def _reasons(self, pair: Pair, ended: dict[str, bool], tokens: list[list[int]]) -> set[str]:
        found = {ENDED} if any(ended.values()) else set()
        texts = {side: pair[side][0]["content"] for side in SIDES}
        if self._chat is None:
            return found | ({TRIMMED} if any(text != text.strip() for text in texts.values()) else set())
        messages = [message["content"] for message in pair["prompt"]] + list(texts.values())
        if any(self._chat.first_control(text) is not None for text in messages):
            found.add(CONTROLS)
        if tokens and any(self._trims(pair, side) for side in SIDES):
            found.add(TRIMMED)
        if tokens and not found & {CONTROLS, TRIMMED} and self._counts_otherwise(pair, ended, tokens):
            found.add(OTHERWISE)
        if tokens and _cut(tokens, self._limits) != tokens:
            found.add(CUT)
        return found

    def _trims(self, pair: Pair, side: str) -> bool:
        """Whether white space at the start or the end of a response makes no difference to what is rendered."""
        text = pair[side][0]["content"]
        bare = {text.lstrip(), text.rstrip()} - {text}
        return bool(bare) and self._rendered(pair, text) in {self._rendered(pair, one) for one in bare}

    def _rendered(self, pair: Pair, text: str) -> str:
        assert self._chat is not None
        return self._chat.render([*pair["prompt"], {"role": "assistant", "content": text}])

    def _counts_otherwise(self, pair: Pair, ended: dict[str, bool], tokens: list[list[int]]) -> bool:
        for side, ids in zip(SIDES, tokens[1:], strict=True):
            n = len(ids) - ids[::-1].index(self._end) if self._end in ids else len(ids)
            if n != pair[f"n_tokens_{side}"] + ended[side]:
                return True
        return False


def _divided(asked: list[int], chosen: list[int], rejected: list[int]) -> list[list[int]]:
    """Prompt, chosen and rejected; the responses begin where the prompt's tokens end, or where they leave the prompt's,
    as TRL has it.
    """
    n = min(_shared(asked, chosen), _shared(asked, rejected))
    return [asked[:n], chosen[n:], rejected[n:]]


def _shared(one: list[int], other: list[int]) -> int:
    """How many tokens two sequences begin with in common."""
    if other[: len(one)] == one:
        return len(one)
    return next(i for i in range(len(one)) if other[i : i + 1] != one[i : i + 1])


def _cut(tokens: list[list[int]], limits: Limits) -> list[list[int]]:
    """Prompt, chosen and rejected after a trainer's limits."""
    prompt, *responses = tokens
    if limits.max_prompt_length is not None:
        prompt = prompt[-limits.max_prompt_length :]
    room = max(0, limits.max_length - len(prompt))
    return [prompt[: limits.max_length], *(ids[:room] for ids in responses)]


def _spoilt(tokens: list[list[int]], limits: Limits) -> str:
    """Why nothing is to be learnt from a pair after it is cut; "" where there is."""
    _, chosen, rejected = _cut(tokens, limits)
    if not chosen or not rejected:
        return SIDE_LOST
    return IDENTICAL if chosen == rejected else ""
