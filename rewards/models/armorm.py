"""ArmoRM (Wang et al. 2024, arXiv 2406.12845) from its released checkpoint, without remote code.

A Llama backbone gives hidden states H. The reward vector is a linear map of H at the last token of the response; the
weights of its objectives come from a small gating network fed with H at the token that closes the prompt, the first
of the header `<|eot_id|><|start_header_id|>assistant<|end_header_id|>` before the scored response. With M the matrix
that takes verbosity out of the other objectives,

    rewards r = H[last] W^T      gate w = scale * softmax(MLP(H[header]) / temperature)      score = sum_j w_j (r M)_j

The backbone runs in the requested precision, the heads always in float32, from float32 weights as they are on disk.

Where the header is, and what `compat` reproduces: rewards.gated.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors, check_config, check_layout, read_json, shown
from prompts.errors import UserError
from rewards import objectives
from rewards.gated import HEADER, GatedModel
from rewards.protocol import Score

# Of config.json's keys that only this model has, the largest values that make sense.
SIZES = {"num_objectives": 10_000, "gating_hidden_dim": 10**6, "gating_n_hidden": 100, "gating_temperature": 10**6}


class ArmoRM(GatedModel):
    """A loaded ArmoRM checkpoint."""

    def prepare(self, device: torch.device) -> Any:
        raw = read_json(self.folder, "config.json", required=True)
        self.objective_names = _objective_names(self.folder, raw)
        self.header = self.chat.text_ids(HEADER, special=True)
        backbone, self.heads = _load(self.folder, raw, self.dtype, device)
        return backbone

    def scores(self, states: torch.Tensor) -> list[Score]:
        return self.heads.scores(states)


class Heads(nn.Module):
    """The regression layer, the gating network and the transform; parameter names as in the checkpoint."""

    def __init__(self, hidden: int, n_objectives: int, gate_hidden: int, gate_layers: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.regression_layer = nn.Linear(hidden, n_objectives, bias=False)
        self.reward_transform_matrix = nn.Parameter(torch.empty(n_objectives, n_objectives))
        sizes = [hidden, *[gate_hidden] * gate_layers, n_objectives]
        self.gating = nn.Module()
        self.gating.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.gating.logit_scale = nn.Parameter(torch.empty(1))

    def forward(
        self, gate_state: torch.Tensor, last_state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Two states (rows, hidden) to rewards and gate weights (rows, objectives) and scores (rows,)."""
        *hidden, output = self.gating.layers  # type: ignore[misc]
        for layer in hidden:
            gate_state = torch.relu(layer(gate_state))
        weights = torch.softmax(output(gate_state) / self.temperature, dim=1) * self.gating.logit_scale[0]  # type: ignore[index]
        rewards = self.regression_layer(last_state)
        return rewards, weights, (weights * (rewards @ self.reward_transform_matrix)).sum(1)

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        """Scores from float32 states (rows, 2, hidden): at the header, at the last token."""
        rewards, weights, scores = (part.tolist() for part in self(states[:, 0], states[:, 1]))
        return [Score(s, tuple(r), tuple(w)) for s, r, w in zip(scores, rewards, weights, strict=True)]


def _load(folder: Path, raw: dict[str, Any], dtype: torch.dtype, device: torch.device) -> tuple[Any, Heads]:
    """Backbone and heads with every weight of the checkpoint in its place, or a UserError."""
    from transformers import LlamaConfig, LlamaModel
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = LlamaConfig.from_pretrained(str(folder))
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        backbone = LlamaModel(config)
        heads = Heads(
            config.hidden_size,
            raw["num_objectives"],
            raw["gating_hidden_dim"],
            raw["gating_n_hidden"],
            raw["gating_temperature"],
        )
    tensors = Tensors(folder)
    body = {f"model.{name}": tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    head = {name: tuple(tensor.shape) for name, tensor in heads.state_dict().items()}
    check_layout(folder, tensors.shapes, body | head)
    weights = tensors.load(body, dtype, device)
    backbone.load_state_dict({name.removeprefix("model."): tensor for name, tensor in weights.items()}, assign=True)
    backbone.rotary_emb = LlamaRotaryEmbedding(config).to(
        device
    )  # computed, not stored: built on the meta device above
    heads.load_state_dict(tensors.load(head, torch.float32, device), assign=True)
    return backbone.eval(), heads.eval()


def _objective_names(folder: Path, raw: dict[str, Any]) -> tuple[str, ...]:
    check_config(folder, required=("max_position_embeddings",))
    for key, most in SIZES.items():
        if key not in raw:
            raise UserError(f"{folder}/config.json: no {key}; an ArmoRM checkpoint has {', '.join(SIZES)}.")
        value = raw[key]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
            raise UserError(
                f"{folder}/config.json: {key} is {shown(value)}, expected a number above 0 and up to {most:,}."
            )
    return objectives.named(folder, int(raw["num_objectives"]), objectives.ARMORM)
