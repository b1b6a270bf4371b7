"""One pass of a causal backbone over many rows: reads hidden states at given positions, whatever the batching.

Three layouts, equal up to rounding (each token sees exactly the tokens before it in its own row):

- "padded": rows sorted by length, right-padded, one batch of at most `batch_tokens` tokens. Works for every
  architecture.
- "packed": rows laid end to end without padding; attention runs row by row.
- "shared": packed, and the tokens that neighbouring rows of a group have in common from their start (the prompt) are
  computed once: a response sees the prompt's keys and its own. With k responses of R tokens to a prompt of P this saves
  about (k-1)P / (k(P+R)) of the work.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from generation.batches import token_budget_batches
from rewards.protocol import Score

Layout = Literal["padded", "packed", "shared"]
# Families whose attention is plain causal softmax attention, so that the packed layouts are exact.
PACKABLE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
ATTENTION = "rewards_packed"


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation's token ids, the positions in them to read, and the group that shares a prefix with it."""

    ids: list[int]
    reads: tuple[int, ...]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Queries [start, end) of the packed row see keys [trunk_start, trunk_end), then themselves causally."""

    start: int
    end: int
    trunk_start: int = 0
    trunk_end: int = 0


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    segments: Sequence[Segment],
    masks: Sequence[torch.Tensor | None],
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention of a packed row, segment by segment: (1, heads, tokens, size) in, (1, tokens, heads, size) out."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    out = query.new_empty(1, query.shape[2], query.shape[1], query.shape[3])
    for s, mask in zip(segments, masks, strict=True):
        own = slice(s.start, s.end)
        k, v = key[:, :, own], value[:, :, own]
        if mask is not None:
            trunk = slice(s.trunk_start, s.trunk_end)
            k, v = torch.cat([key[:, :, trunk], k], 2), torch.cat([value[:, :, trunk], v], 2)
        seen = sdpa(query[:, :, own], k, v, attn_mask=mask, scale=scaling, is_causal=mask is None)
        out[:, own] = seen.transpose(1, 2)
    return out, None


def attend_packed(config: Any) -> str:
    """Register the packed attention with transformers; the name to give as `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, packed_attention)
    slides = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return ATTENTION if config.model_type in PACKABLE and not slides else "sdpa"


class Reader:
    """Runs `backbone` (a transformers base model without a head) over rows and reads its last hidden states.

    `batch_tokens` bounds the tokens of one forward. When the device runs out of memory the batch is halved, and with
    it all that are still to come.
    """

    def __init__(self, backbone: Any, *, batch_tokens: int, pad_id: int, layout: Layout = "shared") -> None:
        self.backbone, self.batch_tokens, self.pad_id = backbone, batch_tokens, pad_id
        self.device: torch.device = backbone.device
        packable = backbone.config._attn_implementation == ATTENTION
        self.layout: Layout = layout if packable else "padded"
        if packable and layout == "padded":
            backbone.set_attn_implementation("sdpa")

    @torch.inference_mode()
    def read(self, rows: Sequence[Row]) -> list[torch.Tensor | None]:
        """Float32 hidden states (reads, hidden) of each row; None for one that does not fit the memory even alone."""
        if self.layout == "padded":
            batches = token_budget_batches([len(row.ids) for row in rows], self.batch_tokens)
            forward = self._padded
        else:
            batches = self._packs(rows)
            forward = self._packed
        found: list[torch.Tensor | None] = [None] * len(rows)

        def run(batch: list[int]) -> None:
            states = forward([rows[i] for i in batch])
            for i, state in zip(batch, states, strict=True):
                found[i] = state.float()

        within_memory(batches, run)
        return found

    def _packs(self, rows: Sequence[Row]) -> list[list[int]]:
        """Indices of neighbouring rows, as many as the token budget takes; a prefix that is shared counts once."""
        batches: list[list[int]] = []
        used, previous = 0, -1
        for i, row in enumerate(rows):
            cost = len(row.ids)
            if self.layout == "shared" and previous >= 0 and batches and rows[previous].group == row.group:
                cost -= shared_length([rows[previous], row])
            if not batches or used + cost > self.batch_tokens:
                batches.append([])
                used, cost = 0, len(row.ids)
            batches[-1].append(i)
            used, previous = used + cost, i
        return batches

    def _padded(self, rows: list[Row]) -> list[torch.Tensor]:
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), self.pad_id)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)  # from true lengths: a pad id may occur in a text
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            mask[i, : len(row.ids)] = 1
        cache = {"use_cache": False} if getattr(self.backbone.config, "use_cache", None) is not None else {}
        out = self.backbone(input_ids=ids.to(self.device), attention_mask=mask.to(self.device), **cache)
        return [out.last_hidden_state[i, list(row.reads)] for i, row in enumerate(rows)]

    def _packed(self, rows: list[Row]) -> list[torch.Tensor]:
        pack = lay_out(rows, share=self.layout == "shared")
        masks = [_trunk_mask(segment).to(self.device) if segment.trunk_end else None for segment in pack.segments]
        out = self.backbone(
            input_ids=torch.tensor([pack.ids], device=self.device),
            position_ids=torch.tensor([pack.positions], device=self.device),
            use_cache=False,
            segments=pack.segments,
            masks=masks,
        )
        return [out.last_hidden_state[0, places] for places in pack.reads]


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows laid end to end: ids and positions of every token, who sees whom, and where each row's reads now lie."""

    ids: list[int]
    positions: list[int]
    segments: list[Segment]
    reads: list[list[int]]


def lay_out(rows: Sequence[Row], *, share: bool) -> Pack:
    """Lay `rows` end to end; with `share`, neighbours of one group have their common prefix laid once, before them."""
    pack = Pack([], [], [], [])
    first = 0
    while first < len(rows):
        last = first + 1
        while share and last < len(rows) and rows[last].group == rows[first].group:
            last += 1
        _lay_group(pack, rows[first:last])
        first = last
    return pack


def _lay_group(pack: Pack, rows: Sequence[Row]) -> None:
    trunk = shared_length(rows) if len(rows) > 1 else 0
    trunk_start = len(pack.ids)
    trunk_end = trunk_start + trunk
    if trunk:
        _lay_segment(pack, rows[0].ids[:trunk], 0, Segment(trunk_start, trunk_end))
    for row in rows:
        start = len(pack.ids)
        if len(row.ids) > trunk:
            segment = Segment(
                start, start + len(row.ids) - trunk, trunk_start if trunk else 0, trunk_end if trunk else 0
            )
            _lay_segment(pack, row.ids[trunk:], trunk, segment)
        pack.reads.append([trunk_start + at if at < trunk else start + at - trunk for at in row.reads])


def _lay_segment(pack: Pack, ids: list[int], position: int, segment: Segment) -> None:
    pack.ids.extend(ids)
    pack.positions.extend(range(position, position + len(ids)))
    pack.segments.append(segment)


def shared_length(rows: Sequence[Row]) -> int:
    """Number of leading tokens that all `rows` have in common."""
    shared = min(len(row.ids) for row in rows)
    head = np.asarray(rows[0].ids[:shared])
    for row in rows[1:]:
        differ = np.flatnonzero(head[:shared] != np.asarray(row.ids[:shared]))
        shared = int(differ[0]) if differ.size else shared
    return shared


def _trunk_mask(segment: Segment) -> torch.Tensor:
    """What a segment's tokens see of [trunk, own]: the whole trunk, themselves causally; bool (own, trunk + own)."""
    own, trunk = segment.end - segment.start, segment.trunk_end - segment.trunk_start
    return torch.ones(own, trunk + own, dtype=torch.bool).tril(trunk)


def within_memory(batches: Sequence[list[int]], forward: Callable[[list[int]], None]) -> list[int]:
    """Run `forward` on every batch; on torch.OutOfMemoryError halve that batch and every later one as large, and go on.

    Returns the items that did not fit even alone.
    """
    queue = deque(batches)
    too_large: list[int] = []
    while queue:
        batch = queue.popleft()
        try:
            forward(batch)
        except torch.OutOfMemoryError:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(batch) == 1:
                too_large += batch
                continue
            halves = [_halves(later) if len(later) >= len(batch) else [later] for later in (batch, *queue)]
            queue = deque(half for pair in halves for half in pair)
    return too_large


def _halves(batch: list[int]) -> list[list[int]]:
    middle = (len(batch) + 1) // 2
    return [batch[:middle], batch[middle:]]


def score_rows(
    reader: Reader, groups: Sequence[Sequence[Row | str]], head: Callable[[torch.Tensor], list[Score]]
) -> list[list[Score]]:
    """Scores in the shape of `groups`: of each row `head` of its hidden states (rows, reads, hidden), or its error."""
    scores = [
        [Score(float("nan"), error=row if isinstance(row, str) else "out_of_memory") for row in group]
        for group in groups
    ]
    places = [(g, n) for g, group in enumerate(groups) for n, row in enumerate(group) if isinstance(row, Row)]
    states = reader.read([row for group in groups for row in group if isinstance(row, Row)])
    read = [(place, state) for place, state in zip(places, states, strict=True) if state is not None]
    if read:
        for ((g, n), _), score in zip(read, head(torch.stack([state for _, state in read])), strict=True):
            scores[g][n] = score if math.isfinite(score.score) else Score(float("nan"), error="not_finite")
    return scores
