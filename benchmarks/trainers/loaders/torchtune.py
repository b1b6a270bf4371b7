"""torchtune 0.6.1, `torchtune.datasets.preference_dataset` with source json, and its Llama-3 tokenizer."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """The rows as its DPO recipe gets them; labels of -100 are not trained."""
    from torchtune.datasets import preference_dataset

    for row in preference_dataset(_tokenizer(policy), source="json", data_files=str(data), split="train"):
        yield tuple(
            (row[f"{side}_input_ids"], [label != -100 for label in row[f"{side}_labels"]])
            for side in ("chosen", "rejected")
        )


def _tokenizer(policy: Path) -> Any:
    """Llama3Tokenizer, which writes headers, ends and masks, over the vocabulary of the policy.

    It takes a vocabulary in tiktoken's form only; torchtune's reader of tokenizer.json then takes that one's place.
    """
    from tokenizers import Tokenizer
    from torchtune.models.llama3._tokenizer import LLAMA3_SPECIAL_TOKENS, Llama3Tokenizer
    from torchtune.modules.transforms.tokenizers import HuggingFaceBaseTokenizer

    vocabulary = str(policy / "tokenizer.json")
    known = Tokenizer.from_file(vocabulary)
    unused = iter(range(known.get_vocab_size(), known.get_vocab_size() + len(LLAMA3_SPECIAL_TOKENS)))
    special = {}
    for token in LLAMA3_SPECIAL_TOKENS:
        there = known.token_to_id(token)
        special[token] = next(unused) if there is None else there
    with tempfile.NamedTemporaryFile("w", suffix=".model") as bytes_alone:
        bytes_alone.writelines(f"{base64.b64encode(bytes([i])).decode()} {i}\n" for i in range(256))
        bytes_alone.flush()
        tokenizer = Llama3Tokenizer(bytes_alone.name, special_tokens=special)
    configuration = str(policy / "tokenizer_config.json")
    tokenizer.tt_model = HuggingFaceBaseTokenizer(vocabulary, tokenizer_config_json_path=configuration)
    return tokenizer
