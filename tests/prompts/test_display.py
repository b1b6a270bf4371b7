"""What is shown does not act, and does not tell secrets."""

from __future__ import annotations

import pytest

from prompts.display import in_code, in_markdown, is_secret_key, redacted, shown


def test_every_control_character_is_written_out() -> None:
    active = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2066", "\u2028", "\udc1b"]
    for char in active:
        if char not in "\n\t":
            assert char not in shown(f"a{char}b")
            assert shown(f"a{char}b").isprintable()
        assert shown(f"a{char}b", one_line=True).isprintable()
    assert shown("\x1b]0;title\x07") == r"\x1b]0;title\x07"
    assert shown("Zwölf \U0001f468\u200d\U0001f469\n\t日本") == "Zwölf \U0001f468\u200d\U0001f469\n\t日本"


def test_names_make_no_markup() -> None:
    assert in_markdown("<img src=x> *a* [b](c) | d") == r"&lt;img src=x&gt; \*a\* \[b\](c) \| d"
    assert "\n" not in in_markdown("a\n# b")
    assert in_code("a`b``c") == "``` a`b``c ```"
    assert in_code("owner/name") == "`owner/name`"


@pytest.mark.parametrize("key", ["hf_token", "token", "api_key", "apiKey", "password", "aws-secret", "HF_TOKEN"])
def test_secrets_are_known_by_their_keys(key: str) -> None:
    assert is_secret_key(key)
    assert redacted({"engine": [{key: "value"}]}) == {"engine": [{key: "***"}]}


@pytest.mark.parametrize("key", ["max_num_batched_tokens", "tokenizer", "max_tokens", "keep_token_ids", "key"])
def test_settings_of_tokens_are_no_secrets(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://me:hunter2@host/v1", "http://***@host/v1"),
        ("http://host/v1?api_key=abc&x=1", "http://host/v1?api_key=***&x=1"),
        ("with hf_abcdefghijklmnopqrst in it", "with *** in it"),
        ("http://host:80/a@b, me@host", "http://host:80/a@b, me@host"),
    ],
)
def test_secrets_are_known_by_their_look(text: str, told: str) -> None:
    assert redacted(text) == told
