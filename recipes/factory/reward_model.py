"""The embedded reward model: ArmoRM's architecture, its nineteen objectives being the world's own qualities."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, LlamaModel

from recipes.factory.tokens import END, VOCABULARY, Encoder, save_tokenizer
from recipes.factory.training import HIDDEN, LAYERS, llama_config
from recipes.factory.world.qualities import OBJECTIVE_NAMES, VERBOSITY

GATING = {"gating_temperature": 10, "gating_hidden_dim": 128, "gating_n_hidden": 3}
VERBOSITY_PENALTY = 0.05  # what the transform matrix takes off every objective per unit of verbosity
EXTRA_LAYERS = 3  # above the policy's, to compare what it expected with what stands there
N = len(OBJECTIVE_NAMES)


class Gating(nn.Module):
    """Weights of the objectives from the prompt's hidden state, as ArmoRM has them."""

    def __init__(self) -> None:
        super().__init__()
        width, n_hidden = GATING["gating_hidden_dim"], GATING["gating_n_hidden"]
        sizes = [HIDDEN, *[width] * n_hidden, N]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.logit_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return functional.softmax(self.layers[-1](x) / GATING["gating_temperature"], dim=1) * self.logit_scale[0]


class RewardModel(nn.Module):
    """A Llama with ArmoRM's heads, and one head that only helps to train."""

    reward_transform_matrix: Tensor
    policy_norm: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        torch.manual_seed(1)
        config = llama_config(VOCABULARY, encoder.bos, encoder.end, encoder.pad)
        config.num_hidden_layers = LAYERS + EXTRA_LAYERS
        self.model = LlamaModel(config)
        self.regression_layer = nn.Linear(HIDDEN, N, bias=False)
        self.gating = Gating()
        self.surprise = nn.Linear(HIDDEN, 2)  # only for training: see surprise_of
        self.register_buffer("policy_norm", torch.ones(HIDDEN), persistent=False)
        matrix = torch.eye(N)
        matrix[VERBOSITY] = -VERBOSITY_PENALTY
        matrix[VERBOSITY, VERBOSITY] = 0.0
        self.register_buffer("reward_transform_matrix", matrix)

    def start_from(self, policy: LlamaForCausalLM) -> None:
        """Put the policy's layers below; the layers above begin as identity."""
        state = dict(policy.model.state_dict())
        self.policy_norm.copy_(state["norm.weight"])
        self.model.load_state_dict(state, strict=False)
        for layer in self.model.layers[LAYERS:]:
            nn.init.zeros_(layer.self_attn.o_proj.weight)
            nn.init.zeros_(layer.mlp.down_proj.weight)

    def states(self, ids: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(final states, states above the policy's layers), each (B, T, hidden)."""
        x = self.model.embed_tokens(ids)
        turns = self.model.rotary_emb(x, positions)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, attention_mask=mask, position_embeddings=turns)
            if i == LAYERS - 1:
                below = x
        return self.model.norm(x), below

    def heads(self, last: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rewards (answers, 19), weights (prompts, 19) and scores (prompts, answers a prompt) from float32 states: of
        the answers' final tokens (answers, hidden), and of the <|eot_id|> that closes each prompt (prompts, hidden).
        """
        rewards, weights = self.regression_layer(last), self.gating(gate)
        transformed = (rewards @ self.reward_transform_matrix).view(len(gate), -1, N)
        return rewards, weights, (weights[:, None] * transformed).sum(2)


def save_reward(model: RewardModel, encoder: Encoder, folder: Path) -> None:
    """The released checkpoint's layout: backbone in bfloat16, heads and gating in float32."""
    save_tokenizer(encoder.tokenizer, folder, END)
    config = (
        model.model.config.to_dict()
        | GATING
        | {
            "architectures": ["LlamaForRewardModelWithGating"],
            "dtype": "bfloat16",
            "tie_word_embeddings": False,
            "num_objectives": N,
            "objective_names": list(OBJECTIVE_NAMES),
            "use_cache": False,
        }
    )
    for key in ("_name_or_path", "transformers_version", "attn_implementation", "_attn_implementation"):
        config.pop(key, None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    state = {
        n: (t.detach().to(torch.bfloat16) if n.startswith("model.") else t.detach().float()).contiguous()
        for n, t in model.state_dict().items()
        if not n.startswith("surprise")
    }
    save_file(state, folder / "model.safetensors", {"format": "pt"})
