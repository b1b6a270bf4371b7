"""A deterministic policy without a model: for tests, benchmarks and a dry run of a recipe (`policy.model = "fake"`)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from generation.engine import Completion, EngineDied, EngineFailed, FinishReason, Request, RequestRefused
from prompts import Message

_WORDS = (
    "river stone cloud green seven table write list short story compare explain count sort rhyme letter number reason "
    "answer because gently quick lantern market winter apple bridge teacher ocean planet window garden copper silent"
).split()


OPTIONS = (
    "delay",
    "dies_at",
    "fails_at",
    "deadly",
    "life",
)  # none of them says what is asked for: they make no other sampler

_ROLES = {"system": 256, "user": 257, "assistant": 258}


class FakeChat:
    """One token per UTF-8 byte; role names are tokens above 255. With `thought_tags` it reads FakeEngine's thoughts."""

    def __init__(self, thought_tags: tuple[str, str] | None = None) -> None:
        self._tags = thought_tags

    def render(self, messages: Sequence[Message]) -> list[int]:
        ids: list[int] = []
        for message in messages:
            ids.append(_ROLES[message["role"]])
            ids.extend(message["content"].encode("utf-8", "surrogatepass"))
        return [*ids, _ROLES["assistant"]]

    def answer(self, completion: Completion) -> Completion:
        if self._tags is None:
            return completion
        thoughts, closing, text = completion.text.partition(self._tags[1])
        n = len(thoughts.split()) + bool(closing)
        return replace(
            completion,
            text=text.lstrip(),
            thoughts=thoughts + closing + text[: len(text) - len(text.lstrip())],
            thought_tokens=n,
            thought_logp=sum(completion.logps[:n]),
        )


class FakeEngine:
    """Completions drawn from a word list by (seed + i): the same request gets the same completions, always.

    Completions have 4 to 60 words, so that some rewrites pass the length filter and some do not. `delay` seconds pass
    before each answer. The engine dies, and all that it was asked meanwhile with it, once at each of the requests with
    the ordinal numbers `dies_at` (from 1), and always at a prompt that contains the text `deadly`. It lives
    on and fails the requests `fails_at`. Another `life` gives other completions for the same requests, as a real engine
    may on another machine. With `thought_tags` it thinks for up to 20 words before it answers.
    """

    def __init__(
        self,
        context_length: int = 65_536,
        delay: float = 0.0,
        dies_at: Sequence[int] = (),
        fails_at: Sequence[int] = (),
        deadly: str = "",
        life: int = 0,
        thought_tags: tuple[str, str] | None = None,
    ) -> None:
        self.context_length = context_length
        self.description: dict[str, Any] = {
            "engine": "fake",
            "version": "1",
            "logprobs_mode": "raw_logprobs",
            "dtype": "float64",
            "context_length": context_length,
            "seeds": "per request",
        }
        self._delay = delay
        self._life = life
        self._tags = thought_tags
        self._dies_at = set(dies_at)
        self._fails_at = set(fails_at)
        self._deadly = list(deadly.encode())
        self._alive = False
        self._lives = 0
        self.requests = 0
        self.answered = 0

    async def start(self) -> None:
        self._alive = True
        self._lives += 1

    async def close(self) -> None:
        self._alive = False

    async def complete(self, request: Request) -> list[Completion]:
        if not self._alive:
            raise EngineDied("the fake engine is not started")
        if len(request.prompt_token_ids) >= self.context_length:
            raise RequestRefused(f"{len(request.prompt_token_ids)} tokens in a context of {self.context_length}")
        self.requests += 1
        if self.requests in self._dies_at or self._is_deadly(request.prompt_token_ids):
            self._alive = False
            raise EngineDied(f"the fake engine died at request {self.requests}, as told")
        if self.requests in self._fails_at:
            raise EngineFailed(f"the fake engine failed request {self.requests}, as told")
        life = self._lives
        await asyncio.sleep(self._delay)
        if not self._alive or self._lives != life:
            raise EngineDied("the fake engine died with this request in it")
        self.answered += 1
        return [self._sample(request, i) for i in range(request.n)]

    def _is_deadly(self, ids: list[int]) -> bool:
        n = len(self._deadly)
        return n > 0 and any(ids[i : i + n] == self._deadly for i in range(len(ids) - n + 1))

    def _sample(self, request: Request, i: int) -> Completion:
        life = f" {self._life}" if self._life else ""
        rng = random.Random(f"{request.seed + i} {len(request.prompt_token_ids)}{life}")
        n_words = min(4 + int(56 * rng.random() ** 2), request.max_tokens)
        words = rng.choices(_WORDS, k=n_words)
        cut_off = rng.random() < 0.03 or n_words == request.max_tokens  # no room for the token that ends the turn
        finish: FinishReason = "length" if cut_off else "stop"
        n_tokens = n_words + (finish == "stop")
        token_ids = tuple(rng.choices(range(97, 123), k=n_tokens))
        text = " ".join(words).capitalize() + ("." if finish == "stop" else "")
        logp = -rng.uniform(0.5, 2.5)
        answer = Completion(text, token_ids, logp * n_tokens, finish, (logp,) * n_tokens)
        return answer if self._tags is None else _thought_over(answer, self._tags, rng)


def _thought_over(answer: Completion, tags: tuple[str, str], rng: random.Random) -> Completion:
    """The answer with thoughts before it, a token each of their words and tags."""
    words = [tags[0], *rng.choices(_WORDS, k=rng.randrange(1, 20)), tags[1]]
    logps = tuple(-rng.uniform(0.1, 4.0) for _ in words)
    return Completion(
        f"{' '.join(words)}\n\n{answer.text}",
        tuple(rng.choices(range(97, 123), k=len(words))) + answer.token_ids,
        sum(logps) + answer.logp,
        answer.finish_reason,
        logps + answer.logps,
    )
