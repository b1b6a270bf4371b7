"""A packed row through the layers of transformers' Llama and its kin (see generation.forward.attention.PACKABLE).

The model's own modules, called in the order that suits a packed row: attention runs segment by segment, the last layer
only where something is read, and on a CPU an MLP, whose tensors are the widest, in steps that stay in the caches.
"""

from __future__ import annotations

from typing import Any

import torch

from generation.forward.attention import Work, packed_attention

CHUNK = 512  # tokens of an MLP's step on a CPU

Angles = tuple[torch.Tensor, torch.Tensor]  # cosines and sines (tokens, 1, size)


def read_states(
    backbone: Any, ids: torch.Tensor, positions: torch.Tensor, every: Work, last: Work, places: torch.Tensor
) -> torch.Tensor:
    """Last hidden states (places, hidden) of one packed row, ids and positions (tokens,).

    `every` attends for all tokens, `last` for those at `places`. Of the last layer only keys and values of all tokens
    are needed: its queries, and what follows them, are computed at `places` alone.
    """
    states = backbone.embed_tokens(ids)
    cos, sin = (table[0, :, None] for table in backbone.rotary_emb(states, position_ids=positions[None]))
    step = CHUNK if states.device.type == "cpu" else len(ids)
    for layer in backbone.layers:
        attention, normed = layer.self_attn, layer.input_layernorm(states)
        key, value = _heads(attention, "k", normed, (cos, sin)), _heads(attention, "v", normed)
        work = every
        if layer is backbone.layers[-1]:
            states, normed, cos, sin, work = states[places], normed[places], cos[places], sin[places], last
        query = _heads(attention, "q", normed, (cos, sin))
        states += attention.o_proj(packed_attention(query, key, value, attention.scaling, work))
        for part in states.split(step):
            part += layer.mlp(layer.post_attention_layernorm(part))
    read: torch.Tensor = backbone.norm(states)
    return read


def _heads(attention: Any, which: str, normed: torch.Tensor, angles: Angles | None = None) -> torch.Tensor:
    """Queries, keys or values ("q", "k", "v"; heads, tokens, size) of normed states (tokens, hidden), turned by
    `angles` if they are given.
    """
    found = getattr(attention, f"{which}_proj")(normed).unflatten(-1, (-1, attention.head_dim))
    norm = getattr(attention, f"{which}_norm", None)
    found = found if norm is None else norm(found)
    return (_turn(found, *angles) if angles else found).transpose(0, 1)


def _turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, eq. 34; x_i and x_(i + size/2) are a pair, as in all these
    models) of x (tokens, heads, size).
    """
    half = x.shape[-1] // 2
    turned = x * cos
    turned[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    turned[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return turned
