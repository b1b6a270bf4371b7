"""Attention of a packed row for transformers' models of plain causal attention, segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from rewards.packing import Segment

# Families whose attention is plain causal softmax attention, so that a packed row is exact.
PACKABLE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
ATTENTION = "rewards_packed"
CPU_BLOCK = 128  # queries at a time at most: what is left out of the upper triangle against more, smaller products
CPU_ROWS = 256  # queries of all the heads of a key, at a time: no larger products are needed for speed


def attend_packed(config: Any) -> str:
    """The `attn_implementation` for a model of this configuration: the packed attention where it is exact."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, packed_attention)
    slides = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return ATTENTION if config.model_type in PACKABLE and not slides else "sdpa"


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
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    work: Work,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, size) in, (1, tokens, heads, size) out; zeros for tokens of no segment of `work`."""
    heads, tokens, size = query.shape[1:]
    out = query.new_zeros(1, tokens, heads, size)
    repeats = heads // key.shape[1]
    if not work.products:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    for i, segment in enumerate(work.segments):
        k, v = _keys(key, segment), _keys(value, segment)
        if work.products:
            for block in segment.blocks(min(CPU_BLOCK, max(1, CPU_ROWS // repeats))):
                q, n = query[:, :, block.start : block.end], block.n_keys
                seen = _products(q, k[:, :, :n], v[:, :, :n], scaling, work.above)
                out[:, block.start : block.end] = seen.transpose(1, 2)
        else:
            q, mask = query[:, :, segment.start : segment.end], work.masks[i]
            seen = sdpa(q, k, v, attn_mask=mask, scale=scaling, is_causal=mask is None and q.shape[2] > 1)
            out[:, segment.start : segment.end] = seen.transpose(1, 2)
    return out, None


def _keys(key: torch.Tensor, segment: Segment) -> torch.Tensor:
    own = key[:, :, segment.own_start : segment.end]
    if segment.trunk_end == segment.trunk_start:
        return own
    return torch.cat([key[:, :, segment.trunk_start : segment.trunk_end], own], 2)


def _products(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scaling: float, above: torch.Tensor) -> torch.Tensor:
    """Softmax attention of the last q.shape[2] of k.shape[2] tokens, heads of one key together in each product."""
    _, heads, n, size = q.shape
    _, kv_heads, n_keys, _ = k.shape
    rows = heads // kv_heads * n
    nothing = q.new_zeros(())
    scores = torch.baddbmm(nothing, q.reshape(kv_heads, rows, size), k[0].transpose(1, 2), beta=0, alpha=scaling)
    scores = scores.view(heads, n, n_keys)
    scores[:, :, n_keys - n :] += above[:n, :n]
    weights = torch.softmax(scores, -1).view(kv_heads, rows, n_keys)
    return torch.bmm(weights, v[0]).view(1, heads, n, size)
