"""A tiny byte-level BPE tokenizer with Llama 3's special tokens and chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

LLAMA3_TEMPLATE = (
    "{% for turn in messages %}{{ (bos_token if loop.first else '')"
    " + '<|start_header_id|>' + turn['role'] + '<|end_header_id|>\\n\\n'"
    " + turn['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
PAD = "[PAD]"
SPLIT = (  # words, numbers of up to three digits, punctuation, line ends, blanks
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "assistant",
    "user",
    "system",
    "the quick brown fox jumps over the lazy dog",
    "\n\n",
    "What are some words for a fine day?",
] * 4


def bpe_tokenizer(specials: list[str], corpus: list[str] = CORPUS, vocab_size: int = 400) -> Tokenizer:
    """A byte-level BPE tokenizer with Llama 3's way of cutting text; "\\n\\n" and the role names are single tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens(specials)
    return tokenizer


def write_tokenizer(
    folder: Path,
    *,
    template: str = LLAMA3_TEMPLATE,
    pad_in: str = "tokenizer_config",
    corpus: list[str] = CORPUS,
    vocab_size: int = 400,
) -> Tokenizer:
    """Save a tokenizer of Llama 3's shape; `pad_in` (tokenizer_config or special_tokens_map) declares [PAD]."""
    tokenizer = bpe_tokenizer([*SPECIALS, PAD], corpus, vocab_size)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[0],
        "eos_token": SPECIALS[1],
        "clean_up_tokenization_spaces": True,
        "model_max_length": 10**30,
        "chat_template": template,
    }
    special_map = {"bos_token": SPECIALS[0], "eos_token": SPECIALS[1]}
    (config if pad_in == "tokenizer_config" else special_map)["pad_token"] = PAD
    if pad_in == "special_tokens_map":  # as in the release: transformers 5 then ignores special_tokens_map.json
        ids = {str(tokenizer.token_to_id(text)): text for text in [*SPECIALS, PAD]}
        flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
        config["added_tokens_decoder"] = {i: {"content": text, **flags} for i, text in ids.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps(special_map))
    return tokenizer
