"""A tiny random policy in Llama's layout that vLLM runs on a CPU, the same for the same seed.

`policy(folder)` writes config.json, generation_config.json, safetensors and a tokenizer with Llama 3's chat template.
It writes words without sense and ends its turns by itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from tiny_models import llama_config, llama_weights
from tiny_tokenizers import LLAMA3_TEMPLATE, PAD, SPECIALS, bpe_tokenizer

HIDDEN, HEADS, KV_HEADS, LAYERS = 64, 2, 1, 2  # vLLM's CPU attention takes heads of 32 dimensions at least
END_OF_TURN = SPECIALS[4]
TURN_ENDS, UNWRITTEN = 2.0, -12.0  # added to logits: of the end of a turn, and of tokens that are no plain text


def policy(folder: Path, *, seed: int = 0, limit: int = 512, turn_ends: float = TURN_ENDS) -> Path:
    """Write the policy into `folder`; contexts up to `limit` tokens. More `turn_ends`, shorter responses."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _write_tokenizer(folder)
    vocab = tokenizer.get_vocab_size()
    end, bos = tokenizer.token_to_id(END_OF_TURN), tokenizer.token_to_id(SPECIALS[0])
    config = llama_config(vocab, HIDDEN, LAYERS, HEADS, KV_HEADS, limit) | {
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": bos,
        "eos_token_id": end,
        "pad_token_id": tokenizer.token_to_id(PAD),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": bos, "eos_token_id": [end]}))
    generator = torch.Generator().manual_seed(seed)
    weights = llama_weights(generator, vocab, HIDDEN, LAYERS, HEADS, KV_HEADS)
    weights["lm_head.weight"] = torch.randn(vocab, HIDDEN, generator=generator) * HIDDEN**-0.5
    _bias_head(weights, _logit_bias(tokenizer, turn_ends))
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return folder


def _write_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = bpe_tokenizer([*SPECIALS, PAD])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[0],
        "eos_token": END_OF_TURN,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**30,
        "chat_template": LLAMA3_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer


def _logit_bias(tokenizer: Tokenizer, turn_ends: float) -> torch.Tensor:
    """What is to be added to each token's logit: plain words stay, bytes and control tokens become rare."""
    bias = torch.full((tokenizer.get_vocab_size(),), UNWRITTEN)
    specials = {tokenizer.token_to_id(text) for text in [*SPECIALS, PAD]}
    for token in range(len(bias)):
        text = tokenizer.decode([token], skip_special_tokens=False)
        if token not in specials and text.isascii() and text.strip().isalpha():
            bias[token] = 0.0
    bias[tokenizer.token_to_id(END_OF_TURN)] = turn_ends
    return bias


def _bias_head(weights: dict[str, torch.Tensor], bias: torch.Tensor) -> None:
    """Llama's head has no bias: dimension 0 of the residual stream becomes a constant that every layer leaves alone."""
    weights["model.embed_tokens.weight"][:, 0] = 8.0
    for name, tensor in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor[0] = 0.0
    # The final norm makes it about 3 to 4.
    weights["model.norm.weight"][0] = 1.0
    weights["lm_head.weight"][:, 0] = bias / 3.0
