"""What a server can do, found out by asking it known prompts: nothing is taken on trust that would change data.

Log-probabilities first. Some servers return those of the distribution that was sampled from, after temperature and
top-p, and nothing in their answers says so. The same prompt is asked at temperature 1, and at a low one with a small
top-p: raw log-probabilities of a token agree, others do not. Where they are not raw, or come without token ids, the
server may still say them of a prompt that it echoes: then each response is asked about once more.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from generation.completions import Answered, Choice, Wire
from generation.hosts import REFUSALS, Host, Malformed, Misfit
from prompts import Message

KNOWN: list[Message] = [{"role": "user", "content": "Name three colours, three animals and a number."}]
SEED = 20_250_101
TOKENS = 12
TOLERANCE = 0.1  # nats between two passes over the same prompt: bfloat16's noise is below, a temperature far above
LogProbs = Literal["sampled", "forced", "none"]
MODES: dict[LogProbs, str] = {"sampled": "raw_logprobs", "forced": "teacher forcing by the server", "none": "none"}


@dataclass(frozen=True)
class Abilities:
    """`logprobs`: raw ones with token ids come with a response, or by an echo, or not at all. `seeds`: the same request
    has the same answer. `n_seeds`: choice i of a request is that of a request for one with seed + i.
    """

    wire: Wire
    logprobs: LogProbs
    seeds: bool
    n_seeds: bool
    context: int | None
    version: str


async def look_at(host: Host, wire: Wire) -> Abilities:
    """Raises what `Host.answer` raises, Malformed and Misfit."""
    context = await _context(host)
    ids = wire.tokenizer.encode([KNOWN], generation_prompt=True)[0]
    if isinstance(ids, str):
        raise AssertionError(f"the policy's template refuses a plain question: {ids}")
    wire, first = await _first(host, wire, ids)
    two = await wire.complete(host, ids, **_sampling(n=2))
    next_one = await wire.complete(host, ids, **_sampling(seed=SEED + 1))
    again = await wire.complete(host, ids, **_sampling())
    seeds = _said(first) == _said(again)
    n_seeds = seeds and len(two.choices) == 2 and _said(two) == _said(first) and _said(two, 1) == _said(next_one)
    return Abilities(wire, await _logprobs(host, wire, ids, first), seeds, n_seeds, context, await _version(host))


def _sampling(**says: Any) -> dict[str, Any]:
    return {"n": 1, "seed": SEED, "temperature": 1.0, "top_p": 1.0, "max_tokens": TOKENS} | says


async def _context(host: Host) -> int | None:
    """The server's context in tokens, if it says so. Raises Misfit where it does not serve the model."""
    text = await host.answer(host.client.models.with_raw_response.list())
    try:
        served = {str(one["id"]): one for one in json.loads(text)["data"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed(f"a list of models that is none: {text[:200]}") from error
    if host.server.model not in served:
        there = ", ".join(sorted(served)[:10]) or "none"
        raise Misfit(f"it serves no model {host.server.model!r} (it has: {there}); policy.served_model names it")
    length = served[host.server.model].get("max_model_len")
    return length if isinstance(length, int) and length > 0 else None


async def _first(host: Host, wire: Wire, ids: list[int]) -> tuple[Wire, Answered]:
    """The first answer, and the fullest way of asking that the server takes: ids before text, all parameters before
    those of the protocol alone.
    """
    import openai

    ways = [replace(wire, as_ids=as_ids, extras=extras) for as_ids in (True, False) for extras in (True, False)]
    for way in ways:
        try:
            answered = await way.complete(host, ids, **_sampling())
        except openai.APIStatusError as error:
            if error.status_code not in REFUSALS or way is ways[-1]:
                raise
            continue
        if 0 not in answered.choices:
            raise Malformed("an answer without a choice")
        if answered.prompt_tokens in (None, len(ids)):
            return way, answered
    raise Misfit(
        f"it reads a prompt of {len(ids)} tokens as {answered.prompt_tokens}: another tokenizer, or a BOS added"
    )


def _said(answered: Answered, index: int = 0) -> object:
    choice = answered.choices.get(index, Choice("", ""))
    return choice.token_ids or choice.text


async def _logprobs(host: Host, wire: Wire, ids: list[int], first: Answered) -> LogProbs:
    choice = first.choices[0]
    if choice.token_ids and len(choice.logps) == len(choice.token_ids) and await _are_raw(host, wire, ids):
        return "sampled"
    import openai

    y = choice.token_ids or tuple(wire.tokenizer.text_ids(choice.text))
    if wire.as_ids and y:
        with suppress(Malformed, openai.APIStatusError):
            at_one, cold = await wire.force(host, ids, y), await wire.force(host, ids, y, temperature=0.4)
            return "forced" if _close(at_one, cold) else "none"
    return "none"


async def _are_raw(host: Host, wire: Wire, ids: list[int]) -> bool:
    """Whether the log-probabilities of the first token are the same at a low temperature and a small top-p."""
    says = _sampling(max_tokens=1, logprobs=5)
    warm = await wire.complete(host, ids, **says)
    cold = await wire.complete(host, ids, **says | {"temperature": 0.4, "top_p": 0.5})
    if not (warm.choices.get(0) and cold.choices.get(0) and warm.choices[0].top and cold.choices[0].top):
        return False
    one, other = warm.choices[0].top[0], cold.choices[0].top[0]
    common = sorted(one.keys() & other.keys())
    return len(common) >= 2 and _close([one[token] for token in common], [other[token] for token in common])


def _close(one: list[float], other: list[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(
        math.isfinite(a) and math.isfinite(b) and abs(a - b) <= TOLERANCE * max(1.0, abs(a) / 8) for a, b in pairs
    )


async def _version(host: Host) -> str:
    """What serves, where it says so as vLLM does."""
    import openai

    with suppress(openai.APIError, TimeoutError):
        root = host.server.base_url.removesuffix("/v1")
        found = await host.client.get(f"{root}/version", cast_to=object)
        return str(found.get("version", "")) if isinstance(found, dict) else ""
    return ""
