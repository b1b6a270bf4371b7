"""QRM (Dorka 2024, arXiv 2409.10164; nicolinho/QRM-Llama3.1-8B): ArmoRM's idea with quantiles in place of means.

config.json names ArmoRM's class; the weights are others. With H the hidden states, K quantiles of J objectives,

    R = (W H[last]).view(J, K)      gate w = scale * softmax(MLP(H[header]) / temperature)
    quantiles q_k = sum_j w_j (R_k M)_j         score = mean over k of q_k

The gating network is Linear (no bias), ReLU, BatchNorm, thrice, then Linear; batch norms by their running figures.
`Score.quantiles` are the q_k in ascending order (the network does not order them, and K levels are evenly spaced),
`Score.spread` their population standard deviation: how far the model thinks the reward may lie from the score.
Objectives are the means of R over the quantiles, before M, as ArmoRM's. Layout: reward-bench,
rewardbench/models/qrm.py at 05a9005.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors, check_layout, read_json, shown
from prompts.errors import UserError
from rewards import objectives
from rewards.backbone import load_backbone
from rewards.gated import HEADER, GatedModel
from rewards.networks import head_names
from rewards.protocol import Score

MOST_LAYERS = 100


class QRM(GatedModel):
    """A loaded QRM checkpoint on a Llama 3 backbone."""

    def prepare(self, device: torch.device) -> Any:
        raw = read_json(self.folder, "config.json", required=True)
        if raw.get("model_type") != "llama":
            raise UserError(
                f"{self.folder}: QRM on {shown(raw.get('model_type'))}, and it is known only where a prompt of Llama 3 "
                "ends. Give nicolinho/QRM-Llama3.1-8B, or another model."
            )
        self.header = self.chat.text_ids(HEADER, special=True)
        tensors = Tensors(self.folder)
        names = head_names(tensors, "regression_layer", "reward_transform_matrix", "gating")
        self.heads = _heads(self.folder, tensors, raw, names, self.head_device(device))
        self.objective_names = objectives.named(self.folder, self.heads.n, objectives.ARMORM)
        return load_backbone(self.folder, tensors, head=names, dtype=self.dtype, device=device)

    def scores(self, states: torch.Tensor) -> list[Score]:
        return self.heads.scores(states)


class Heads(nn.Module):
    """Quantile regression, gating network and transform; parameter names as in the checkpoint."""

    def __init__(self, hidden: int, n: int, n_quantiles: int, gate: int, layers: int, temperature: float) -> None:
        super().__init__()
        self.n, self.n_quantiles, self.temperature = n, n_quantiles, temperature
        self.regression_layer = nn.Linear(hidden, n * n_quantiles, bias=False)
        self.reward_transform_matrix = nn.Parameter(torch.empty(n, n))
        parts: list[nn.Module] = []
        for i in range(layers):
            parts += [nn.Linear(gate if i else hidden, gate, bias=False), nn.ReLU(), nn.BatchNorm1d(gate)]
        self.gating = nn.Module()
        self.gating.layers = nn.Sequential(*parts, nn.Linear(gate, n))
        self.gating.logit_scale = nn.Parameter(torch.empty(1))

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        """Scores from float32 states (rows, 2, hidden): at the header, at the last token."""
        gate = self.gating.layers(states[:, 0])  # type: ignore[operator]
        weights = torch.softmax(gate / self.temperature, dim=1) * self.gating.logit_scale[0]  # type: ignore[index]
        rewards = self.regression_layer(states[:, 1]).view(-1, self.n, self.n_quantiles)
        adjusted = torch.einsum("bjk,ji->bik", rewards, self.reward_transform_matrix)
        quantiles = torch.einsum("bi,bik->bk", weights, adjusted).sort(dim=1).values
        spread = quantiles.std(dim=1, correction=0)
        parts = (quantiles.mean(1), rewards.mean(2), weights, quantiles, spread)
        return [
            Score(s, tuple(r), tuple(w), quantiles=tuple(q), spread=d)
            for s, r, w, q, d in zip(*(part.tolist() for part in parts), strict=True)
        ]


def _heads(folder: Path, tensors: Tensors, raw: dict[str, Any], names: set[str], device: torch.device) -> Heads:
    """The heads in float32, sizes from the weights and only the temperature from config.json; or a UserError."""
    n, n_quantiles, layers = _sizes(folder, tensors, raw)
    temperature = raw.get("gating_temperature")
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 < temperature <= 10**6:
        raise UserError(f"{folder}/config.json: gating_temperature is {shown(temperature)}, expected a number above 0.")
    hidden, gate = tensors.shapes["regression_layer.weight"][1], tensors.shapes["gating.layers.0.weight"][0]
    with torch.device("meta"):
        heads = Heads(hidden, n, n_quantiles, gate, layers, temperature)
    # How often a batch norm was trained says nothing about a score: not read, but allowed to be there.
    counters = {name for name in names if name.endswith("num_batches_tracked")}
    expected = {name: tuple(tensor.shape) for name, tensor in heads.state_dict().items()}
    expected = {name: shape for name, shape in expected.items() if not name.endswith("num_batches_tracked")}
    check_layout(folder, {name: tensors.shapes[name] for name in names - counters}, expected)
    weights = tensors.load(expected, torch.float32, device)
    counted = {name: torch.zeros((), dtype=torch.long) for name in heads.state_dict() if name not in expected}
    heads.load_state_dict(weights | counted, assign=True)
    return heads.eval()


def _sizes(folder: Path, tensors: Tensors, raw: dict[str, Any]) -> tuple[int, int, int]:
    """Objectives, quantiles and hidden layers of the gate, by the shapes of the weights."""
    shapes = tensors.shapes
    norms = [name for name in shapes if re.fullmatch(r"gating\.layers\.\d+\.running_mean", name)]
    matrix, rows = shapes.get("reward_transform_matrix", ()), shapes["regression_layer.weight"]
    gate = shapes.get("gating.layers.0.weight", ())
    if len(matrix) != 2 or len(rows) != 2 or len(gate) != 2 or not 0 < len(norms) <= MOST_LAYERS or rows[0] % matrix[0]:
        raise UserError(
            f"{folder}: a QRM has a regression_layer of objectives times quantiles rows, found {list(rows)} for a "
            f"reward_transform_matrix of {list(matrix)}, and a gating network, found {len(norms)} batch norms and a "
            f"first layer of {list(gate)}. Fetch the complete checkpoint."
        )
    n_quantiles = rows[0] // matrix[0]
    if raw.get("num_quantiles", n_quantiles) != n_quantiles:
        raise UserError(
            f"{folder}/config.json: num_quantiles is {shown(raw['num_quantiles'])}, and the weights have {n_quantiles} "
            f"quantiles for each of {matrix[0]} objectives. One of the two is another checkpoint's."
        )
    return matrix[0], n_quantiles, len(norms)
