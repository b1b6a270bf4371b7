"""What models have made, as rows of the pool."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from generation import Completion
from prompts import Prompt, content_id, conversation_key


def prompt_row(key: str, prompt: Prompt, verdict: str) -> dict[str, Any]:
    """A prompt of X, or a rewrite with its verdict."""
    return {
        "key": key,
        "id": prompt.id,
        "messages": prompt.messages,
        "conversation_key": conversation_key(prompt.messages).hex(),
        "parent_id": prompt.parent_id,
        "strategy": prompt.strategy,
        "verdict": verdict,
    }


def response_row(
    prompt_id: str, sampler_id: str, index: int, seed: int, completion: Completion, *, token_ids: bool
) -> dict[str, Any]:
    """A sampled response; with its `token_ids` if they are to be kept."""
    return {
        "id": content_id("response", prompt_id, sampler_id, index, completion.text),
        "prompt_id": prompt_id,
        "sampler_id": sampler_id,
        "sample_index": index,
        "text": completion.text,
        "text_key": text_key(completion.text),
        "blank": not completion.text.strip(),
        "n_tokens": len(completion.token_ids),
        "logp": known(completion.logp),
        "thoughts": completion.thoughts,
        "thought_tokens": None if completion.thoughts is None else completion.thought_tokens,
        "thought_logp": None if completion.thoughts is None else known(completion.thought_logp),
        "finish_reason": completion.finish_reason,
        "seed": seed,
        "token_ids": list(completion.token_ids) if token_ids else None,
    }


def known(logp: float) -> float | None:
    """A log-probability; None of a response that a server gave none for."""
    return None if math.isnan(logp) else logp


def text_key(text: str) -> int:
    """A number of 64 bits that tells texts apart."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def refused_row(prompt_id: str, sampler_id: str, reason: str) -> dict[str, Any]:
    """A prompt that can't be sampled: one row with its reason, never a dead run."""
    return {
        "id": content_id("response", prompt_id, sampler_id, -1, reason),
        "prompt_id": prompt_id,
        "sampler_id": sampler_id,
        "sample_index": -1,
        "error": reason,
    }
