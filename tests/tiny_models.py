"""Tiny random checkpoints in the layouts of the released reward models, the same for the same seed.

`armorm(folder)` and its siblings write config.json, safetensors and a tokenizer, and return the folder; `pairrm` is in
tiny_pairrm.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import processors

from tiny_tokenizers import CORPUS, LLAMA3_TEMPLATE, PAD, SPECIALS, write_tokenizer


def normal(generator: torch.Generator, *shape: int, scale: float | None = None) -> torch.Tensor:
    return torch.randn(*shape, generator=generator) * (shape[-1] ** -0.5 if scale is None else scale)


def llama_weights(
    generator: torch.Generator, vocab: int, hidden: int, layers: int, heads: int, kv_heads: int
) -> dict[str, torch.Tensor]:
    head = hidden // heads
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv_heads * head, hidden),
        "self_attn.v_proj": (kv_heads * head, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (3 * hidden, hidden),
        "mlp.up_proj": (3 * hidden, hidden),
        "mlp.down_proj": (hidden, 3 * hidden),
    }
    weights = {
        "model.embed_tokens.weight": normal(generator, vocab, hidden, scale=1.0).bfloat16(),
        "model.norm.weight": torch.ones(hidden).bfloat16(),
    }
    for i in range(layers):
        for name, shape in shapes.items():
            weights[f"model.layers.{i}.{name}.weight"] = normal(generator, *shape).bfloat16()
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{i}.{name}.weight"] = (1 + normal(generator, hidden, scale=0.1)).bfloat16()
    return weights


def llama_config(vocab: int, hidden: int, layers: int, heads: int, kv_heads: int, limit: int) -> dict[str, Any]:
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": 3 * hidden,
        "max_position_embeddings": limit,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": False,
        "vocab_size": vocab,
    }


def armorm_heads(
    generator: torch.Generator, hidden: int, n_objectives: int, gate_hidden: int, gate_layers: int
) -> dict[str, torch.Tensor]:
    transform = torch.eye(n_objectives)
    if n_objectives > 4:
        transform[4] -= torch.rand(n_objectives, generator=generator)
        transform[4, 4] = 0
    sizes = [hidden, *[gate_hidden] * gate_layers, n_objectives]
    weights = {
        "regression_layer.weight": normal(generator, n_objectives, hidden),
        "reward_transform_matrix": transform,
        "gating.logit_scale": torch.tensor([1.5]),
    }
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        weights[f"gating.layers.{i}.weight"] = 2 * normal(generator, b, a)
        weights[f"gating.layers.{i}.bias"] = normal(generator, b, scale=0.1)
    return weights


def armorm(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    n_objectives: int = 19,
    limit: int = 8192,
    shards: int = 1,
    pad_in: str = "special_tokens_map",
    template: str = LLAMA3_TEMPLATE,
    corpus: list[str] = CORPUS,
    vocab_size: int = 400,
) -> Path:
    """A tiny ArmoRM with the config keys, tensor names and dtypes (backbone bfloat16, heads float32) of the release."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    tokenizer = write_tokenizer(folder, template=template, pad_in=pad_in, corpus=corpus, vocab_size=vocab_size)
    vocab = tokenizer.get_vocab_size()
    config = llama_config(vocab, hidden, layers, heads, kv_heads, limit) | {
        "architectures": ["LlamaForRewardModelWithGating"],
        "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"},
        "bos_token_id": tokenizer.token_to_id(SPECIALS[0]),
        "eos_token_id": tokenizer.token_to_id(SPECIALS[1]),
        "pad_token_id": tokenizer.token_to_id(PAD),
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "num_objectives": n_objectives,
        "gating_temperature": 10,
        "gating_hidden_dim": 32,
        "gating_n_hidden": 3,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = llama_weights(generator, vocab, hidden, layers, heads, kv_heads)
    weights |= armorm_heads(generator, hidden, n_objectives, 32, 3)
    save_sharded(folder, weights, shards)
    return folder


def save_sharded(folder: Path, weights: dict[str, torch.Tensor], shards: int) -> None:
    """Save in one file, or in `shards` files with an index, as transformers names them."""
    if shards == 1:
        save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
        return
    where: dict[str, str] = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(weights.items())[i::shards])
        save_file(part, str(folder / file), metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def scalar(
    folder: Path,
    *,
    seed: int = 0,
    family: str = "Llama",
    hidden: int = 64,
    limit: int = 8192,
    pad: str = PAD,
    template: str = LLAMA3_TEMPLATE,
    add_bos: bool = False,
    labels: int = 1,
    bias: bool = False,
    **options: Any,
) -> Path:
    """A tiny sequence classifier of a stock family (Llama, Qwen2, Gemma2, ...); `pad` names the padding token.

    With `add_bos` the tokenizer itself puts a BOS before every text, as Llama 3's does; with `bias` there is a
    score.bias. `options` are further keys of config.json.
    """
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder, template=template)
    if add_bos:
        bos = SPECIALS[0]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
        tokenizer.save(str(folder / "tokenizer.json"))
    config = getattr(transformers, f"{family}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=limit,
        num_labels=labels,
        pad_token_id=tokenizer.token_to_id(pad),
        bos_token_id=tokenizer.token_to_id(SPECIALS[0]),
        eos_token_id=tokenizer.token_to_id(SPECIALS[4]),
        **options,
    )
    torch.manual_seed(seed)
    model = getattr(transformers, f"{family}ForSequenceClassification")(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = normal(generator, *parameter.shape)
    model.save_pretrained(folder)
    if bias:
        weights = load_file(folder / "model.safetensors") | {"score.bias": torch.tensor([0.75])}
        save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return folder
