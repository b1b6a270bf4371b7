"""Attention of a packed row, segment by segment, for transformers' models of plain causal attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from generation.forward.onednn import has_onednn, product
from generation.forward.packing import Segment

# Families whose attention is the one below, and whose layers are an attention and an MLP, each added to its input.
PACKABLE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
CPU_BLOCK = 128  # queries at a time at most: what is left out of the upper triangle against more, smaller products
CPU_ROWS = 512  # queries of all the heads of a key at a time: no larger products are needed for speed
LARGE = (256, 192)  # such rows and keys from which oneDNN's products, one key head at a time, are the faster ones


def packable(config: Any) -> bool:
    """Whether a packed row is exact for a model of this configuration: plain causal softmax attention, no window."""
    slides = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return config.model_type in PACKABLE and not slides


class Work:
    """The segments of a packed row to attend in one forward, with what all layers need for them.

    In float32 on a CPU plain matrix products in blocks of queries are faster than the fused kernel (they take the heads
    of a key together and skip most of what is not seen); elsewhere the fused kernels take whole segments.
    """

    def __init__(self, segments: Sequence[Segment], device: torch.device, dtype: torch.dtype) -> None:
        self.products = device.type == "cpu" and dtype == torch.float32
        self.segments = list(segments)
        if self.products:
            self.above = torch.full((CPU_BLOCK, CPU_BLOCK), float("-inf")).triu(1)
        else:
            self.masks = [_mask(segment, device) for segment in segments]


def _mask(segment: Segment, device: torch.device) -> torch.Tensor | None:
    """What a segment's tokens see of their keys, bool (tokens, keys); None if that is plainly causal, or all."""
    n = segment.end - segment.start
    if n in (1, segment.n_keys):
        return None
    return torch.ones(n, segment.n_keys, dtype=torch.bool, device=device).tril(segment.n_keys - n)


def packed_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float, work: Work
) -> torch.Tensor:
    """Softmax attention (tokens, heads x size) of `query` (heads, tokens, size), which holds the tokens of `work`'s
    segments in turn, to `key` and `value` (key heads, tokens of the row, size). Tokens after the segments get zeros.
    """
    heads, tokens, size = query.shape
    out = query.new_empty(tokens, heads, size)
    repeats = heads // key.shape[0]
    block = min(CPU_BLOCK, max(1, CPU_ROWS // repeats))
    if not work.products:
        key, value = key.repeat_interleave(repeats, 0), value.repeat_interleave(repeats, 0)
    at = 0
    for i, segment in enumerate(work.segments):
        k, v = _seen(key, segment), _seen(value, segment)
        for part in segment.blocks(block) if work.products else [segment]:
            q, n = query[:, at : at + part.end - part.start], part.n_keys
            if work.products:
                found = _products(q, k[:, :n], v[:, :n], scaling, work.above)
            else:
                mask = work.masks[i]
                causal = mask is None and q.shape[1] > 1
                found = sdpa(q[None], k[None], v[None], attn_mask=mask, scale=scaling, is_causal=causal)[0]
            out[at : at + q.shape[1]] = found.transpose(0, 1)
            at += q.shape[1]
    out[at:] = 0
    return out.flatten(1)


def _seen(key: torch.Tensor, segment: Segment) -> torch.Tensor:
    """Keys or values (heads, keys, size) that a segment sees."""
    own = key[:, segment.own_start : segment.end]
    if segment.trunk_end == segment.trunk_start:
        return own
    return torch.cat([key[:, segment.trunk_start : segment.trunk_end], own], 1)


def _products(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scaling: float, above: torch.Tensor) -> torch.Tensor:
    """Attention of the last q.shape[1] of k.shape[1] tokens, heads of one key together in each product."""
    heads, n, size = q.shape
    kv_heads, n_keys, _ = k.shape
    rows = heads // kv_heads * n
    q = q.reshape(kv_heads, rows, size)
    if rows >= LARGE[0] and n_keys >= LARGE[1] and has_onednn():
        out = torch.empty_like(q)
        for i in range(kv_heads):
            scores = product(q[i] * scaling, k[i].contiguous()).view(-1, n, n_keys)
            scores[:, :, n_keys - n :] += above[:n, :n]
            weights = torch.softmax(scores, -1).view(rows, n_keys)
            out[i] = product(weights, v[i].contiguous().t())
        return out.view(heads, n, size)
    scores = torch.baddbmm(q.new_zeros(()), q, k.transpose(1, 2), beta=0, alpha=scaling).view(heads, n, n_keys)
    scores[:, :, n_keys - n :] += above[:n, :n]
    weights = torch.softmax(scores, -1).view(kv_heads, rows, n_keys)
    return torch.bmm(weights, v).view(heads, n, size)
