"""What is shown does not act, and does not tell secrets."""

from __future__ import annotations

import time

import pytest

from prompts.display import holds_secret, in_code, in_markdown, is_secret_key, plainly, redacted, shown


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


@pytest.mark.parametrize(
    "key",
    [
        *("hf_token", "token", "api_key", "apiKey", "password", "aws-secret", "HF_TOKEN", "authToken", "clientSecret"),
        *("aws_secret_access_key", "AWS_ACCESS_KEY_ID", "Authorization", "private_key", "passphrase", "api_keys"),
    ],
)
def test_secrets_are_known_by_their_keys(key: str) -> None:
    assert is_secret_key(key)
    assert redacted({"engine": [{key: "value"}]}) == {"engine": [{key: "***"}]}


@pytest.mark.parametrize(
    "key",
    [
        "max_num_batched_tokens",
        "tokenizer",
        "max_tokens",
        "keep_token_ids",
        "key",
        "tokens",
        "eos_token",
        "image_token",
    ],
)
def test_settings_of_tokens_are_no_secrets(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://me:hunter2@host/v1", "http://***@host/v1"),
        ("http://u:p@secret@h/v1", "http://***@h/v1"),
        ("http://u:p/w#x@h", "http://***@h"),
        ("http:/u:p@h", "http:/***@h"),  # as a path has it
        ("//u:p@h/x", "//***@h/x"),
        ("https://hunter2@host", "https://***@host"),
        ("http://host/v1?api_key=abc&x=1", "http://host/v1?api_key=***&x=1"),
        (
            "https://b/k?X-Amz-Date=1&X-Amz-Credential=a%2Fb&X-Amz-Signature=c&X-Amz-Security-Token=d",
            "https://b/k?X-Amz-Date=1&X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Security-Token=***",
        ),
        ("https://g/k?X-Goog-Signature=abc", "https://g/k?X-Goog-Signature=***"),
        ("https://a/c?sv=2020&sig=abc%3D", "https://a/c?sv=2020&sig=***"),
        (
            "https://s/k?AWSAccessKeyId=a&Expires=1&Signature=b",
            "https://s/k?AWSAccessKeyId=***&Expires=1&Signature=***",
        ),
        ("https://h/?authToken=abc", "https://h/?authToken=***"),
        ("https://h/#access_token=abc&x=1", "https://h/#access_token=***&x=1"),
        ("https://h/?to=http%3A%2F%2Fh%3Ftoken%3Dabc%26x%3D1", "https://h/?to=http%3A%2F%2Fh%3Ftoken%3D***%26x%3D1"),
        ("{'api_key': 'abc', 'x': 1}", "{'api_key': '***', 'x': 1}"),
        ('{"a":{"apikey":"a\\"bc"}}', '{"a":{"apikey":"***"}}'),
        ('{"a": "{\\"secret\\": \\"abc\\"}"}', '{"a": "{\\"secret\\": \\"***\\"}"}'),
        ("{'password': \"it's abc\"}", "{'password': \"***\"}"),
        ("{'api_tokens': ['abc', 'def']}", "{'api_tokens': ***}"),
        ("token=abc", "token=***"),
        ('hf_token = "abc"', 'hf_token = "***"'),
        ("OPENAI_API_KEY=abc", "OPENAI_API_KEY=***"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("{'Authorization': 'Basic abc='}", "{'Authorization': '***'}"),
        ("sent bearer abc123def", "sent bearer ***"),
        ("with hf_abcdefghijklmnopqrst in it", "with *** in it"),
        ("github_pat_11ABCDEFG0abcdefghijkl", "***"),
        ("ghp_abcdefghijklmnopqrst1, gho_abcdefghijklmnopqrst1", "***, ***"),
        ("sk-proj-abcdefghijklmnop", "***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
    ],
)
def test_secrets_are_known_by_their_look(text: str, told: str) -> None:
    assert redacted(text) == told
    assert redacted(told) == told
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://host:80/a@b, me@host",
        "http://[::1]:80/a@b",
        '{"url":"http://host","mail":"me@host"}',
        "https://example.org/search?q=1&page=2#top",
        "max_tokens=512 eos_token='<|im_end|>' token=None",
        "unknown token: '<|im_end|>'",
        "the secret: keep the password short; Bearer authentication is for the bearer of news",
        "models/hf_mistral7b and C:/Users/me@x and /data//x@y",
        "set key=value, HF_TOKEN for the Hub",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_keys_that_are_addresses_keep_their_secrets_too() -> None:
    assert redacted({"http://u:p@h": [1, "a"]}) == {"http://***@h": [1, "a"]}


def test_hiding_takes_linear_time() -> None:
    begun = time.monotonic()
    for text in ("http://a:b/", "token=", '"token": "', "bearer ", "a.-", "//a:", '\\"token\\": ', "eyJ", "?a"):
        redacted(text * 30_000)
    assert time.monotonic() - begun < 20


def test_a_value_is_shown_only_where_it_is_plain() -> None:
    assert [plainly(value) for value in (True, None, 3, 2.5, "20%", "-7")] == [
        "True",
        "None",
        "3",
        "2.5",
        "'20%'",
        "'-7'",
    ]
    assert plainly("eva", {"eva"}) == "'eva'"
    assert plainly("hunter2") == "a text of 7 characters"
    assert plainly({"a": "hunter2"}) == "a table"
    assert plainly(10**5000) == "an integer of many digits"
