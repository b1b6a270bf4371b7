"""GRM *-sftreg (Yang et al. 2024, arXiv 2406.10216): a causal language model with a value head, `v_head.summary`.

The head is Linear, ReLU, Linear (or one linear layer); config.json says ...ForCausalLM, so nothing but the weights
tells such a checkpoint from a policy. Its language-model head, kept for the training's regularization, is not needed.
The value is read at the last token. Layout: reward-bench, rewardbench/models/grm.py at 05a9005; dropout is of the
training alone. (GRM's *-rewardmodel-ft are plain classifiers: rewards.models.scalar.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from rewards.backbone import load_backbone
from rewards.checkpoint_model import ConversationModel
from rewards.networks import head_names, load_network
from rewards.protocol import Score

HEAD = "v_head.summary"


class GRM(ConversationModel):
    """A loaded GRM checkpoint with a value head."""

    def prepare(self, device: torch.device) -> Any:
        tensors = Tensors(self.folder)
        names = head_names(tensors, HEAD)
        backbone = load_backbone(self.folder, tensors, head=names, dtype=self.dtype, device=device)
        hidden, where = backbone.config.hidden_size, self.head_device(device)
        self.head = load_network(self.folder, tensors, HEAD, nn.ReLU, inputs=hidden, outputs=1, device=where)
        return backbone

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token."""
        return Row(ids, (len(ids) - 1,), number) if ids else "template_refused"

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        return [Score(value) for value in self.head(states[:, 0])[:, 0].tolist()]
