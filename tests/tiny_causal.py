"""Tiny random causal models of stock families with a ChatML or Llama 3 template, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tiny_models import normal
from tiny_tokenizers import LLAMA3_TEMPLATE, PAD, SPECIALS, write_tokenizer

# Closes a turn with Llama 3's token and a line end after it, as ChatML does; changes no text.
LINE_END_TEMPLATE = (
    "{% for turn in messages %}{{ '<|start_header_id|>' + turn['role'] + '\\n' + turn['content'] + '<|eot_id|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant\\n' }}{% endif %}"
)


def causal(
    folder: Path, *, family: str = "Llama", seed: int = 0, limit: int = 512, template: str = LLAMA3_TEMPLATE
) -> Path:
    """A causal model of a stock family (Llama, Qwen2, Qwen3, Gemma2, ...) with weights that give it opinions."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder, template=template)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=limit,
        pad_token_id=tokenizer.token_to_id(PAD),
        bos_token_id=tokenizer.token_to_id(SPECIALS[0]),
        eos_token_id=tokenizer.token_to_id(SPECIALS[4]),
        tie_word_embeddings=family != "Llama",
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = normal(generator, *parameter.shape)
    model.save_pretrained(folder)
    written = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(written | {"eos_token": SPECIALS[4]}))
    return folder
