"""A policy behind servers that speak OpenAI's protocol: `vllm serve`, SGLang and others, one or several of them."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

from generation.abilities import MODES, Abilities, look_at
from generation.completions import Answered, Choice, Wire
from generation.conversation import ChatTokenizer
from generation.engine import Completion, EngineDied, FinishReason, Request, RequestRefused
from generation.hosts import PATIENCE, Host, Hosts, Malformed
from generation.turns import closing_token, stop_tokens
from prompts.errors import UserError

KEY = "POLICY_API_KEY"  # not OPENAI_API_KEY: the key of one server is not shown to another


class ServerEngine:
    """The policy that `servers` (base URLs) serve as `model`, with the tokenizer of the policy's files.

    Log-probabilities are raw (temperature 1, the full vocabulary, the token that ends the turn included): the server's
    own where a probe finds them so, else those that it says of the response when it echoes it (`logprobs_mode` in the
    description says which). A server that can do neither is refused, unless `without_logprobs`: then they are NaN.

    A server that returns no token ids has its text tokenized again, and log-probabilities are of these tokens.
    """

    def __init__(
        self,
        servers: Sequence[str],
        model: str,
        tokenizer: ChatTokenizer,
        *,
        context: int | None = None,
        deadline: float = 600.0,
        in_flight: int = 256,
        stop: int | None = None,
        without_logprobs: bool = False,
        patience: float = PATIENCE,
        longest_pause: float = 30.0,
    ) -> None:
        key = os.environ.get(KEY, "")
        self._hosts = Hosts(
            [Host(url, model, key, deadline) for url in servers],
            self._prepare,
            patience=patience,
            longest_pause=longest_pause,
        )
        self._tokenizer, self._given_context = tokenizer, context
        self._wire = Wire(tokenizer, () if stop is None else (stop,))
        self._ends = sorted(stop_tokens(tokenizer) | ({stop} if stop is not None else set()))
        self._closing = closing_token(tokenizer)
        self._without_logprobs, self._in_flight = without_logprobs, in_flight
        self._room: asyncio.Semaphore | None = None
        self.context_length = 0
        self.description: dict[str, Any] = {}

    async def start(self) -> None:
        """Look at the servers. Those that are away may come later; one must be there."""
        await self._hosts.__aenter__()
        try:
            await self._hosts.look_at_all()
        except BaseException:
            await self._hosts.__aexit__()
            raise
        there = [host.abilities for host in self._hosts.hosts if host.abilities is not None]
        contexts = [one for one in (self._given_context, *(found.context for found in there)) if one]
        if not contexts:
            raise UserError("The servers do not say how long the model's context is: set policy.max_model_len.")
        self.context_length = min(contexts)
        self._room = asyncio.Semaphore(self._in_flight)
        self.description = {
            "engine": "server",
            "version": ", ".join(sorted({found.version or "unknown" for found in there})),
            "dtype": "the server's",
            "logprobs_mode": " and ".join(sorted({MODES[found.logprobs] for found in there})),
            "context_length": self.context_length,
            "seeds": "per request" if all(found.seeds for found in there) else "not honoured by the server",
        }

    async def _prepare(self, host: Host) -> None:
        found = await look_at(host, self._wire)
        if found.logprobs == "none" and not self._without_logprobs:
            raise UserError(
                f"The server at {host.server.base_url} gives no log-probabilities of the policy: none, or those after "
                "temperature and top-p, and none of a prompt that it echoes. For vLLM start it with --logprobs-mode "
                "raw_logprobs. Or set policy.without_logprobs = true, sample without them, and have them computed: "
                "`evolve score DATASET/train.parquet --policy MODEL`."
            )
        host.abilities = found

    async def complete(self, request: Request) -> list[Completion]:
        if self._room is None:
            raise EngineDied("the engine is not started")
        if (length := len(request.prompt_token_ids)) >= self.context_length:
            raise RequestRefused(f"{length} tokens in a context of {self.context_length}")
        async with self._room:
            return await self._hosts_complete(request)

    async def _hosts_complete(self, request: Request) -> list[Completion]:
        found: dict[int, Completion] = {}
        if request.n > 1 and all(host.abilities.n_seeds for host in self._hosts.hosts if host.abilities):
            found = await self._hosts.ask(lambda host: self._ask(host, request))
        # One by one where choices have no seeds of their own, and what a server has left out.
        missing = [i for i in range(request.n) if i not in found]
        alone = [replace(request, n=1, seed=request.seed + i) for i in missing]
        answers = await asyncio.gather(*(self._hosts.ask(lambda host, one=one: self._one(host, one)) for one in alone))
        found |= dict(zip(missing, answers, strict=True))
        return [found[i] for i in range(request.n)]

    async def _one(self, host: Host, request: Request) -> Completion:
        found = await self._ask(host, request)
        if 0 not in found:
            raise Malformed("an answer without a choice")
        return found[0]

    async def _ask(self, host: Host, request: Request) -> dict[int, Completion]:
        """The choices that the server gave, by their index."""
        can: Abilities = host.abilities
        ids = request.prompt_token_ids
        room = self.context_length - len(ids) - (can.logprobs == "forced")  # an echo samples one token more
        answered = await can.wire.complete(
            host,
            ids,
            n=request.n,
            seed=request.seed,
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=max(1, min(request.max_tokens, room)),
        )
        self._check_prompt(answered, ids)
        found = {}
        for i, choice in answered.choices.items():
            if 0 <= i < request.n:
                found[i] = await self._completion(host, can, ids, choice)
        return found

    def _check_prompt(self, answered: Answered, ids: list[int]) -> None:
        if answered.prompt_tokens not in (None, len(ids)):
            raise RequestRefused(f"the server reads {answered.prompt_tokens} tokens where the prompt has {len(ids)}")

    async def _completion(self, host: Host, can: Abilities, ids: list[int], choice: Choice) -> Completion:
        if choice.finish_reason not in get_args(FinishReason):
            raise Malformed(f"a choice that ended with the reason {choice.finish_reason!r}")
        reason: FinishReason = choice.finish_reason  # type: ignore[assignment]
        y = choice.token_ids or self._tokens(choice)
        logps = choice.logps
        if can.logprobs == "forced":
            logps = tuple(await can.wire.force(host, ids, y)) if y else ()
        elif can.logprobs == "none":
            logps = (math.nan,) * len(y)
        elif len(logps) != len(y) or not all(map(math.isfinite, logps)):
            raise Malformed(f"{len(logps)} log-probabilities of {len(y)} tokens")
        if reason == "stop" and (not y or y[-1] not in self._ends):
            raise Malformed("a choice that ended by itself, without the token that ends a turn")
        return Completion(choice.text, y, float(sum(logps)), reason, logps)

    def _tokens(self, choice: Choice) -> tuple[int, ...]:
        """The text's tokens, closed where the policy closed it."""
        text = self._tokenizer.text_ids(choice.text)
        end = self._closing if self._closing is not None else self._ends[0]
        return (*text, end) if choice.finish_reason == "stop" else tuple(text)

    async def close(self) -> None:
        self._room = None
        await self._hosts.__aexit__()
