"""The one tokenizer of both models: byte-level BPE of 2,048 pieces with Llama-3's special tokens and chat template."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from recipes.factory.world.corpus import draw_example
from recipes.factory.world.instruction import Messages

VOCABULARY = 2048
BOS, END, EOT, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "[PAD]"
HEADER = ("<|start_header_id|>", "<|end_header_id|>")
SPECIAL = [BOS, END, *HEADER, EOT]
# Digits and line breaks stand alone, so arithmetic sees digits and the blank line behind a header is always one token.
PIECES = r"\n\n|\n| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def train_tokenizer(n_examples: int = 60000) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    rng = Random("tokenizer")
    texts = []
    for _ in range(n_examples):
        messages, answer = draw_example(rng, 0.0, 0.3)
        texts += [*(m["content"] for m in messages), answer, "assistant\n\n", "user\n\n", "system\n\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(PAD, special=True, normalized=False)])
    assert tokenizer.token_to_id(PAD) == VOCABULARY - 1
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, eos: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": eos,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE)


class Encoder:
    """Chat messages to token ids, as the chat template renders them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.bos, self.end, self.eot, self.pad = (self._id(token) for token in (BOS, END, EOT, PAD))
        self.headers = {r: self._ids(f"{HEADER[0]}{r}{HEADER[1]}\n\n") for r in ("system", "user", "assistant")}

    def _id(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        assert found is not None, token
        return found

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def prompt(self, messages: Messages, generation: bool = True) -> list[int]:
        ids = [self.bos]
        for message in messages:
            ids += [*self.headers[message["role"]], *self._ids(message["content"].strip()), self.eot]
        return ids + self.headers["assistant"] * generation

    def answer(self, text: str) -> list[int]:
        return [*self._ids(text.strip()), self.eot]

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode([i for i in ids if i not in (self.eot, self.pad)], skip_special_tokens=False)
