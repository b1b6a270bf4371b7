"""The completions protocol of OpenAI-compatible servers: what a request says, and what an answer is read as.

Prompts go as token ids, rendered by the policy's own template: a server would put its own in their place, or a second
BOS in front. All sampling parameters are said, also those at their neutral value: servers take defaults for what is
not said from the checkpoint's generation_config.json (top_k, a repetition penalty), which are not the recipe's.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from generation.conversation import ChatTokenizer
from generation.hosts import Host, Malformed, Misfit

EXTRAS = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True, "add_special_tokens": False}
NEUTRAL = {"presence_penalty": 0.0, "frequency_penalty": 0.0}


@dataclass(frozen=True, slots=True)
class Choice:
    """One continuation as the server sent it; `token_ids` and `logps` are empty where it sent none."""

    text: str
    finish_reason: str
    token_ids: tuple[int, ...] = ()
    logps: tuple[float, ...] = ()
    top: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer's choices by their index, and how many tokens the server read the prompt as, if it says so."""

    choices: dict[int, Choice]
    prompt_tokens: int | None


@dataclass(frozen=True)
class Wire:
    """How one server is spoken to: with ids or text, with vLLM's further parameters or without, `stop` said or not."""

    tokenizer: ChatTokenizer
    stop: tuple[int, ...] = ()
    as_ids: bool = True
    extras: bool = True

    async def complete(self, host: Host, ids: list[int], **says: Any) -> Answered:
        """Raises what `Host.answer` raises, Malformed and Misfit."""
        prompt = ids if self.as_ids else self.tokenizer.tokenizer.decode(ids, skip_special_tokens=False)
        extra: dict[str, Any] = dict(EXTRAS) if self.extras else {}
        if self.stop and self.extras:
            extra["stop_token_ids"] = list(self.stop)
        create = host.client.completions.with_raw_response.create
        says = {"logprobs": 1} | NEUTRAL | says
        text = await host.answer(create(model=host.server.model, prompt=prompt, extra_body=extra, **says))
        return read(text, host.server.model)

    async def force(self, host: Host, ids: list[int], y: tuple[int, ...], temperature: float = 1.0) -> list[float]:
        """log pi(y_t | x, y_<t) of each token of y, by an answer that echoes the prompt `ids + y`."""
        says: dict[str, Any] = {"echo": True, "max_tokens": 1, "temperature": temperature, "top_p": 1.0}
        answered = await self.complete(host, [*ids, *y], **says)
        logps = answered.choices[0].logps if 0 in answered.choices else ()
        found = list(logps[len(ids) : len(ids) + len(y)])
        if not len(ids) + len(y) <= len(logps) <= len(ids) + len(y) + 1 or not all(map(math.isfinite, found)):
            raise Malformed("an echo without the log-probabilities of its tokens")
        return found


def read(text: str, model: str) -> Answered:
    """An answer of a server. Raises Malformed for what is none, Misfit for one of another model."""
    try:
        data = json.loads(text)
        said = data.get("model", model)
        choices = {int(one.get("index", i)): _choice(one) for i, one in enumerate(data["choices"])}
        usage = data.get("usage") or {}
        prompt_tokens = usage.get("prompt_tokens")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"an answer that is no completion: {text[:200]}") from error
    if said != model:
        raise Misfit(f"it answers as the model {said!r}, where {model!r} was asked")
    return Answered(choices, prompt_tokens if isinstance(prompt_tokens, int) else None)


def _choice(one: dict[str, Any]) -> Choice:
    if not isinstance(one["text"], str):
        raise TypeError
    logprobs = one.get("logprobs") or {}
    logps = [math.nan if value is None else float(value) for value in logprobs.get("token_logprobs") or ()]
    top = tuple({str(k): float(v) for k, v in (of or {}).items()} for of in logprobs.get("top_logprobs") or ())
    ids = tuple(int(token) for token in one.get("token_ids") or ())
    return Choice(one["text"], str(one.get("finish_reason")), ids, tuple(logps), top)
