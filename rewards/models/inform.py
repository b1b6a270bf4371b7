"""INF-ORM (infly/INF-ORM-Llama3.1-70B): a Llama backbone and a network of two layers, `score.0`, ReLU, `score.2`.

config.json names a class of the checkpoint's own code. It reads the token before the first padding id; here the last
token is read by its true position, so a padding id inside a text moves nothing (`compat=True` reads as the released
class does). Layout and reading: reward-bench, rewardbench/models/inform.py at 05a9005.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from rewards.backbone import load_backbone
from rewards.checkpoint_model import ConversationModel, last_token
from rewards.networks import head_names, load_network
from rewards.protocol import Score


class InfOrm(ConversationModel):
    """A loaded INF-ORM checkpoint."""

    def prepare(self, device: torch.device) -> Any:
        tensors = Tensors(self.folder)
        names = head_names(tensors, "score")
        backbone = load_backbone(self.folder, tensors, head=names, dtype=self.dtype, device=device)
        hidden, where = backbone.config.hidden_size, self.head_device(device)
        self.head = load_network(self.folder, tensors, "score", nn.ReLU, inputs=hidden, outputs=1, device=where)
        return backbone

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token."""
        return Row(ids, (last_token(ids, self.pad_id if self.compat else None),), number) if ids else "template_refused"

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        return [Score(value) for value in self.head(states[:, 0])[:, 0].tolist()]
