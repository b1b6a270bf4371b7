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

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from generation.forward.attention import Work, packable
from generation.forward.batches import token_budget_batches
from generation.forward.layers import read_states
from generation.forward.onednn import GRAIN, pack_linears
from generation.forward.packing import Row, lay_out, packs

Layout = Literal["padded", "packed", "shared"]
BATCH_TOKENS = {"cpu": 2048}  # what stays in a CPU's caches; a GPU wants long batches


class Reader:
    """Runs `backbone` (a transformers base model without a head) over rows and reads its last hidden states.

    `batch_tokens` bounds the tokens of one forward (None: 2,048 on a CPU, else 16,384). When the device runs out of
    memory the batch is halved, and with it all that are still to come.
    """

    def __init__(self, backbone: Any, *, batch_tokens: int | None, pad_id: int, layout: Layout = "shared") -> None:
        self.backbone, self.pad_id = backbone, pad_id
        self.device: torch.device = backbone.device
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(self.device.type, 16384)
        self.layout: Layout = layout if packable(backbone.config) else "padded"
        if self.layout != "padded" and self.device.type == "cpu":
            pack_linears(backbone)

    @torch.inference_mode()
    def read(self, rows: Sequence[Row]) -> list[torch.Tensor | None]:
        """Float32 hidden states (reads, hidden) of each row; None for one that does not fit the memory even alone."""
        if self.layout == "padded":
            batches = token_budget_batches([len(row.ids) for row in rows], self.batch_tokens)
            forward = self._padded
        else:
            batches = packs(rows, self.batch_tokens, share=self.layout == "shared")
            forward = self._packed
        found: list[torch.Tensor | None] = [None] * len(rows)

        def run(batch: list[int]) -> None:
            states = forward([rows[i] for i in batch])
            for i, state in zip(batch, states, strict=True):
                found[i] = state.float()

        within_memory(batches, run)
        return found

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
        places = sorted({place for reads in pack.reads for place in reads})
        rest = [0] * (-len(pack.ids) % GRAIN) if self.device.type == "cpu" else []  # of no segment: seen by no token
        ids = torch.tensor(pack.ids + rest, device=self.device)
        positions = torch.tensor(pack.positions + rest, device=self.device)
        every = Work(pack.segments, self.device, self.backbone.dtype)
        last = Work(pack.spans(places), self.device, self.backbone.dtype)
        states = read_states(self.backbone, ids, positions, every, last, torch.tensor(places, device=self.device))
        index = {place: i for i, place in enumerate(places)}
        return [states[[index[place] for place in reads]] for reads in pack.reads]


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
