"""URM (Lou et al. 2024, arXiv 2410.00847; LxzGordon/URM-LLaMa-3.1-8B): attributes as normal distributions, weighed.

At the last token h, `score` gives two numbers for each of k attributes, a mean and the logarithm of a deviation; the
network `weights.fc` (SELU between its layers) gives k weights, which no softmax bounds:

    means = score(h).view(k, 2)[:, 0]      score = sum_j weights(h)_j means_j

The released class reads the token before the first padding id; here the last token is read by its true position
(`compat=True` reads as the released class does).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from prompts.errors import UserError
from rewards import objectives
from rewards.backbone import load_backbone, misfit
from rewards.checkpoint_model import ConversationModel, last_token
from rewards.networks import head_names, load_network
from rewards.protocol import Kind, Score


class URM(ConversationModel):
    """A loaded URM checkpoint: objectives are the attributes' means, weights those of the network."""

    kind: Kind = "multi"

    def prepare(self, device: torch.device) -> Any:
        tensors = Tensors(self.folder)
        names = head_names(tensors, "score", "weights.fc")
        backbone = load_backbone(self.folder, tensors, head=names, dtype=self.dtype, device=device)
        hidden, where = backbone.config.hidden_size, self.head_device(device)
        rows = tensors.shapes.get("score.weight", (0,))[0]
        if not rows or rows % 2:
            told = f"score.weight has {rows} rows, expected two for each attribute"
            raise UserError(misfit(self.folder, [told]))
        self.n = rows // 2
        self.objective_names = objectives.named(self.folder, self.n, objectives.HELPSTEER2)
        self.head = load_network(self.folder, tensors, "score", nn.SELU, inputs=hidden, outputs=rows, device=where)
        self.gate = load_network(
            self.folder, tensors, "weights.fc", nn.SELU, inputs=hidden, outputs=self.n, device=where
        )
        return backbone

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token."""
        return Row(ids, (last_token(ids, self.pad_id if self.compat else None),), number) if ids else "template_refused"

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        last = states[:, 0]
        means, weights = self.head(last).view(-1, self.n, 2)[:, :, 0], self.gate(last)
        parts = ((means * weights).sum(1).tolist(), means.tolist(), weights.tolist())
        return [Score(s, tuple(r), tuple(w)) for s, r, w in zip(*parts, strict=True)]
