"""Tiny random checkpoints of the reward models that bring heads of their own: QRM, URM, INF-ORM, GRM *-sftreg.

Each has the names, shapes and config keys of its release, on a tiny Llama, the same for the same seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tiny_models import llama_config, llama_weights, normal
from tiny_tokenizers import LLAMA3_TEMPLATE, PAD, SPECIALS, write_tokenizer

Weights = dict[str, torch.Tensor]
HIDDEN, LAYERS, HEADS, KV_HEADS = 64, 2, 4, 2


def tiny(
    folder: Path,
    architecture: str,
    heads: Weights,
    generator: torch.Generator,
    *,
    template: str = LLAMA3_TEMPLATE,
    limit: int = 8192,
    **config: Any,
) -> Path:
    """A tiny Llama with these heads; `config` are further keys of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder, template=template)
    vocab = tokenizer.get_vocab_size()
    about = llama_config(vocab, HIDDEN, LAYERS, HEADS, KV_HEADS, limit) | {
        "architectures": [architecture],
        "bos_token_id": tokenizer.token_to_id(SPECIALS[0]),
        "eos_token_id": tokenizer.token_to_id(SPECIALS[4]),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }
    (folder / "config.json").write_text(json.dumps(about | config))
    weights = llama_weights(generator, vocab, HIDDEN, LAYERS, HEADS, KV_HEADS) | heads
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return folder


def linear(
    generator: torch.Generator, name: str, outputs: int, inputs: int, *, bias: bool = True, size: float = 2.0
) -> Weights:
    weights = {f"{name}.weight": size * normal(generator, outputs, inputs)}
    return weights | ({f"{name}.bias": normal(generator, outputs, scale=0.3)} if bias else {})


def qrm(folder: Path, *, seed: int = 0, n: int = 19, n_quantiles: int = 19, gate: int = 32, **how: Any) -> Path:
    """Says what ArmoRM says, and has batch norms in its gate and `n_quantiles` rows an objective."""
    generator = torch.Generator().manual_seed(seed)
    transform = torch.eye(n)
    transform[4] -= torch.rand(n, generator=generator)
    heads = {
        "regression_layer.weight": normal(generator, n * n_quantiles, HIDDEN),
        "reward_transform_matrix": transform,
        "gating.logit_scale": torch.tensor([1.5]),
    }
    for i in range(3):
        heads |= linear(generator, f"gating.layers.{3 * i}", gate, HIDDEN if i == 0 else gate, bias=False)
        heads |= {
            f"gating.layers.{3 * i + 2}.weight": 1 + normal(generator, gate, scale=0.2),
            f"gating.layers.{3 * i + 2}.bias": normal(generator, gate, scale=0.2),
            f"gating.layers.{3 * i + 2}.running_mean": normal(generator, gate, scale=0.5),
            f"gating.layers.{3 * i + 2}.running_var": 0.5 + torch.rand(gate, generator=generator),
            f"gating.layers.{3 * i + 2}.num_batches_tracked": torch.tensor(7),
        }
    heads |= linear(generator, "gating.layers.9", n, gate)
    config = {"num_objectives": n, "num_quantiles": n_quantiles, "gating_temperature": 5}
    config |= {"gating_hidden_dim": gate, "gating_n_hidden": 3}
    return tiny(folder, "LlamaForRewardModelWithGating", heads, generator, **config | how)


def urm(folder: Path, *, seed: int = 0, n: int = 5, **how: Any) -> Path:
    generator = torch.Generator().manual_seed(seed)
    heads = {"score.weight": normal(generator, 2 * n, HIDDEN)}
    for name, outputs in (("weights.fc.0", HIDDEN), ("weights.fc.2", HIDDEN), ("weights.fc.4", n)):
        heads |= linear(generator, name, outputs, HIDDEN, size=0.7)
    return tiny(folder, "LlamaForSequenceClassificationWithNormal_Weights", heads, generator, **how)


def inform(folder: Path, *, seed: int = 0, **how: Any) -> Path:
    generator = torch.Generator().manual_seed(seed)
    heads = linear(generator, "score.0", HIDDEN, HIDDEN) | linear(generator, "score.2", 1, HIDDEN)
    return tiny(folder, "INFORMForSequenceClassification", heads, generator, **how)


def grm(folder: Path, *, seed: int = 0, single: bool = False, lm_head: bool = True, **how: Any) -> Path:
    """With `single` the head is one linear layer; with `lm_head` the language model's head is there as well."""
    generator = torch.Generator().manual_seed(seed)
    if single:
        heads = linear(generator, "v_head.summary", 1, HIDDEN)
    else:
        heads = linear(generator, "v_head.summary.0", 1024, HIDDEN) | linear(generator, "v_head.summary.2", 1, 1024)
    if lm_head:
        heads["lm_head.weight"] = normal(generator, 10, HIDDEN)
    return tiny(folder, "LlamaForCausalLM", heads, generator, **how)
