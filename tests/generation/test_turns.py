"""Which token ends a turn, by the template; and which of them an engine would miss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generation import load_chat
from generation.turns import closing_token, missing_stop, stop_tokens
from prompts.errors import UserError
from tiny_tokenizers import bpe_tokenizer

SPECIALS = ["<|end|>", "<|eot|>", "<|user|>", "<|assistant|>", "<think>"]
CHATML = (
    "{% for m in messages %}<|user|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant\n{% endif %}"
)
OPENS_THE_NEXT = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
NO_ANSWERS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('one turn only') }}{% endif %}"
    "{{ m.content }}<|end|>{% endfor %}"
)


def checkpoint(folder: Path, template: str, *, eos: str | None = "<|eot|>", generation: Any = None) -> Any:
    tokenizer = bpe_tokenizer(SPECIALS)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | ({"eos_token": eos} if eos else {})))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": generation}))
    return load_chat(folder).tokenizer


def id_of(text: str) -> int:
    return int(bpe_tokenizer(SPECIALS).token_to_id(text))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, "<|end|>"),
        (CHATML.replace("<|end|>", "{{ eos_token }}"), "<|eot|>"),
        (
            CHATML.replace("{{ m.content }}", "{% if m.role == 'assistant' %}<think>\n{% endif %}{{ m.content }}"),
            "<|end|>",
        ),
        (OPENS_THE_NEXT, "<|user|>"),
        (PLAIN, None),
        (NO_ANSWERS, None),
    ],
)
def test_the_token_that_closes_an_answer(template: str, expected: str | None, tmp_path: Path) -> None:
    assert closing_token(checkpoint(tmp_path, template)) == (None if expected is None else id_of(expected))


def test_a_token_that_the_checkpoint_does_not_name_is_found(tmp_path: Path) -> None:
    assert missing_stop(checkpoint(tmp_path, CHATML)) == id_of("<|end|>")


@pytest.mark.parametrize("several", [False, True])
def test_what_the_checkpoint_names_needs_no_mention(several: bool, tmp_path: Path) -> None:
    end = id_of("<|end|>")
    chat = checkpoint(tmp_path, CHATML, generation=[end, id_of("<|user|>")] if several else end)
    assert stop_tokens(chat) >= {end, id_of("<|eot|>")}
    assert missing_stop(chat) is None


def test_a_policy_that_nothing_can_stop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing says which token ends a turn"):
        missing_stop(checkpoint(tmp_path, PLAIN, eos=None))


def test_a_plain_template_ends_at_the_tokens_that_are_named(tmp_path: Path) -> None:
    assert missing_stop(checkpoint(tmp_path, PLAIN)) is None


@pytest.mark.parametrize("value", ["</s>", [["a"]], {"a": 1}, [1.5], True])
def test_an_end_that_is_no_token_id_is_told(value: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"eos_token_id is .*expected the id of a token"):
        missing_stop(checkpoint(tmp_path, CHATML, generation=value))
