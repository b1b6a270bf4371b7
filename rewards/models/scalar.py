"""Scalar reward models: a causal backbone and one linear row, the stock `*ForSequenceClassification` of transformers.

Skywork-Reward (V2 of all sizes), GRM's rewardmodel-ft, OffsetBias, Nemotron's one-label models, FsfairX-LLaMA3-RM and
their like, on any backbone that transformers knows. Four traps of this family are shut here. The stock class reads the
rightmost token that is not the padding id: where padding and end-of-turn are one id it skips the end of the response,
so the last token is read here by its true position (`compat=True` reads as the stock class does, one row at a time).
A template rendered to text and tokenized again gets two BOS: ids come from the template, and a doubled BOS is
dropped. A checkpoint without `score.weight` gets a random one from transformers and a note in a log: it is an error
here. The stock class drops a `score.bias`: it is added here.
"""

from __future__ import annotations

from typing import Any

import torch

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from prompts.errors import UserError
from rewards.backbone import load_backbone, misfit
from rewards.checkpoint_model import ConversationModel
from rewards.protocol import Score


class ScalarClassifier(ConversationModel):
    """A loaded sequence classifier with one label."""

    def prepare(self, device: torch.device) -> Any:
        tensors = Tensors(self.folder)
        shape = tensors.shapes.get("score.weight")
        if shape is not None and len(shape) == 2 and shape[0] != 1:
            raise UserError(
                f"{self.folder}: a reward has one label, and score.weight is of {shape[0]} labels. Give another model."
            )
        head = {"score.weight", "score.bias"}
        backbone = load_backbone(self.folder, tensors, head=head, dtype=self.dtype, device=device)
        hidden = backbone.config.hidden_size
        expected = {"score.weight": (1, hidden)} | ({"score.bias": (1,)} if "score.bias" in tensors.shapes else {})
        if problems := [
            f"wrong shape: {name}" if name in tensors.shapes else f"missing: {name}"
            for name, size in expected.items()
            if tensors.shapes.get(name) != size
        ]:
            raise UserError(misfit(self.folder, problems))
        loaded = tensors.load(expected, torch.float32, self.head_device(device))
        self.weight, self.bias = loaded["score.weight"][0], loaded.get("score.bias")
        return backbone

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token."""
        if not ids:
            return "template_refused"
        last = len(ids) - 1
        while self.compat and last > 0 and ids[last] == self.pad_id:
            last -= 1
        return Row(ids, (last,), number)

    def scores(self, states: torch.Tensor) -> list[Score]:
        values = states[:, 0] @ self.weight
        return [Score(value) for value in (values if self.bias is None else values + self.bias).tolist()]
