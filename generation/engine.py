"""The engine protocol: token ids in, completions with their log-probability out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, Protocol

FinishReason = Literal["stop", "length", "repetition"]


@dataclass(frozen=True, slots=True)
class Request:
    """`n` completions of one prompt. Sample i of the request uses the seed `seed + i`, so raising n adds samples."""

    prompt_token_ids: list[int]
    n: int
    seed: int
    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled continuation y of x.

    `logp` is sum_t log pi(y_t | x, y_<t) in nats at temperature 1 over the full vocabulary, whatever the sampling
    parameters were. `token_ids` are the tokens as sampled; the end-of-turn token is in `token_ids` and in `logp` when
    it was sampled (finish reason "stop") and in neither when the response was cut: by the length limit ("length"), or
    by an engine that saw it go round in circles ("repetition"). `text` never contains it.

    `logps` are the terms of `logp`, one a token. Of a reasoning policy (generation.thoughts) `text` is the answer alone
    and `thoughts` what was sampled before it, tags included, None where there is none; `thought_tokens` and
    `thought_logp` are their share of `token_ids` and `logp`, which are of all that was sampled.
    """

    text: str
    token_ids: tuple[int, ...]
    logp: float
    finish_reason: FinishReason
    logps: tuple[float, ...] = ()
    thoughts: str | None = None
    thought_tokens: int = 0
    thought_logp: float = 0.0


class EngineDied(Exception):
    """The engine is gone and all its unfinished requests with it. A new one may be started."""


class EngineFailed(Exception):
    """The engine lives, and has not answered this request through no fault of the request: it is owed."""


class RequestDeadly(Exception):
    """The engine died of this request, or its servers failed at it, each time that it was asked, while others were
    answered: it is not sent again.
    """


class RequestRefused(Exception):
    """The engine takes no such request (it is the request that is wrong: sending it again is of no use)."""


class Engine(Protocol):
    """A policy that answers requests. Many `complete` calls run at once; each returns all n completions in order.

    `description` says how completions were made and what `logp` means: engine, version, logprobs_mode, dtype, seeds.
    """

    @property
    def context_length(self) -> int: ...

    @property
    def description(self) -> dict[str, Any]: ...

    async def start(self) -> None: ...

    async def complete(self, request: Request) -> list[Completion]:
        """Raises `EngineDied`, `EngineFailed`, `RequestDeadly` or `RequestRefused`."""
        ...

    async def close(self) -> None:
        """Free the device. The engine may be started again."""
        ...


def seed_from(*names: object) -> int:
    """A seed in [0, 2^48) from names (run seed, prompt id, purpose). No global random state anywhere.

    48 bits leave room for `seed + i`; the chance that two of 10^6 prompts come within 5 of each other is about 2 %, and
    then they share a random stream but not a prompt, so their samples still differ.
    """
    digest = hashlib.blake2b("\x1f".join(map(str, names)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")
