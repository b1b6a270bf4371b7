"""A tiny random PairRM in the layout of its Hugging Face release, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import processors

from tiny_models import normal
from tiny_tokenizers import bpe_tokenizer

PAIRRM_SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
PAIRRM_PREFIXES = ["<|source|>", "<|candidate1|>", "<|candidate2|>", "<|candidate|>"]


def pairrm(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """A tiny PairRM in the layout of its Hugging Face release: `pretrained_model.*`, `head_layer.1`, `head_layer.4`."""
    from transformers import DebertaV2Config, DebertaV2Model

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = bpe_tokenizer(PAIRRM_SPECIALS)
    tokenizer.add_tokens(PAIRRM_PREFIXES)  # as in the release: added, but not special
    ids = {text: tokenizer.token_to_id(text) for text in [*PAIRRM_SPECIALS, *PAIRRM_PREFIXES]}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(text, ids[text]) for text in ("[CLS]", "[SEP]")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "unk_token": "[UNK]",
        "mask_token": "[MASK]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))
    config = {
        "architectures": ["DebertaV2PairRM"],
        "model_type": "deberta-v2",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "layer_norm_eps": 1e-07,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": ids["[PAD]"],
        "pooler_hidden_size": hidden,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": tokenizer.get_vocab_size(),
        "n_tasks": 1,
        "drop_out": 0.05,
        "source_prefix_id": ids["<|source|>"],
        "cand1_prefix_id": ids["<|candidate1|>"],
        "cand2_prefix_id": ids["<|candidate2|>"],
        "cand_prefix_id": ids["<|candidate|>"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(seed)
    backbone = DebertaV2Model(DebertaV2Config.from_pretrained(folder))
    weights = {f"pretrained_model.{name}": tensor for name, tensor in backbone.state_dict().items()}
    weights |= {name: normal(generator, *tensor.shape) for name, tensor in weights.items() if tensor.dim() > 1}
    weights |= {
        "head_layer.1.weight": normal(generator, hidden, 2 * hidden),
        "head_layer.1.bias": normal(generator, hidden, scale=0.1),
        "head_layer.4.weight": normal(generator, 1, hidden),
        "head_layer.4.bias": normal(generator, 1, scale=0.1),
    }
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, str(folder / "model.safetensors"))
    return folder
