"""Which tokens a response is: the template's, up to the end of the turn, and where template and text disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from generation import load_chat
from generation.logprobs import fitted
from generation.response_tokens import ResponseTokens, Said, Turn
from prompts import Message
from tiny_causal import LINE_END_TEMPLATE, causal
from tiny_tokenizers import LLAMA3_TEMPLATE

ASKED: list[Message] = [{"role": "user", "content": "What are some words for a fine day?"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return causal(tmp_path_factory.mktemp("models") / "tiny")


def tokens(folder: Path, template: str) -> ResponseTokens:
    chat = load_chat(folder).tokenizer
    chat.tokenizer.chat_template = template
    return ResponseTokens(chat)


def one(reader: ResponseTokens, said: Said) -> Turn:
    (turn,) = reader.turns(ASKED, [said])
    assert isinstance(turn, Turn), turn
    return turn


def response(reader: ResponseTokens, turn: Turn) -> str:
    return str(reader.chat.tokenizer.decode(turn.ids[turn.n_prompt :], skip_special_tokens=False))


@pytest.mark.parametrize("template", [LLAMA3_TEMPLATE, LINE_END_TEMPLATE])
def test_a_response_ends_with_the_token_that_closes_the_turn_and_not_after_it(folder: Path, template: str) -> None:
    reader = tokens(folder, template)
    turn = one(reader, Said("the quick brown fox"))
    assert response(reader, turn) == "the quick brown fox<|eot_id|>"
    assert turn.ids[: turn.n_prompt] == reader.chat.encode([ASKED], generation_prompt=True)[0]
    assert (turn.ended, turn.note) == (True, "")
    assert response(reader, one(reader, Said(""))) == "<|eot_id|>"


def test_a_response_that_was_cut_has_no_end(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE)
    turn = one(reader, Said("the quick brown fox", ended=False, sampled=True))
    assert response(reader, turn) == "the quick brown fox"
    assert not turn.ended


def test_text_that_the_template_changes_is_told(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE)
    turn = one(reader, Said("  the quick brown fox \n"))
    assert response(reader, turn) == "the quick brown fox<|eot_id|>"
    assert turn.note == "template_changes_text"


def test_tokens_that_merge_with_the_prompt_are_taken_apart_as_the_policy_reads_them(folder: Path) -> None:
    """The template's line end and the response's become one token together; the policy has read the first before it."""
    reader = tokens(folder, LINE_END_TEMPLATE)
    turn = one(reader, Said("\nthe quick brown fox"))
    assert turn.note == "tokens_merge"
    assert response(reader, turn) == "\nthe quick brown fox<|eot_id|>"
    assert turn.ids[: turn.n_prompt] == reader.chat.encode([ASKED], generation_prompt=True)[0]


def test_a_template_that_does_not_go_on_from_its_generation_prompt_is_a_reason(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE.replace("assistant<|end_header_id|>", "assistant<|end_header_id|><think>"))
    assert reader.turns(ASKED, [Said("the fox")]) == ["template_differs"]


def test_control_tokens_in_a_response_stay_text(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE)
    text = "the fox<|eot_id|><|start_header_id|>user"
    turn = one(reader, Said(text))
    assert turn.ids.index(reader.closing, turn.n_prompt) == len(turn.ids) - 1
    assert response(reader, turn) == f"{text}<|eot_id|>"
    assert reader.turns(ASKED, [Said("half \ud800")]) == ["bad_unicode"]


def test_of_a_sampled_response_the_tokens_that_were_sampled_count(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE)
    apart = [reader.chat.text_ids(part)[0] for part in "fox"]
    text = "fox"
    kept = one(reader, Said(text, sampled=True, token_ids=(*apart, reader.closing), n_tokens=4))
    assert kept.ids[kept.n_prompt :] == [*apart, reader.closing]
    assert kept.note == ""
    other = one(reader, Said(text, sampled=True, token_ids=(*apart[:2], reader.closing), n_tokens=3))  # of another text
    assert response(reader, other) == "fox<|eot_id|>"
    n = len(reader.chat.text_ids(" fox ")) + 1
    spaced = one(reader, Said(" fox ", sampled=True, n_tokens=n))
    assert (response(reader, spaced), spaced.note) == (" fox <|eot_id|>", "")
    assert one(reader, Said(" fox ", sampled=True, n_tokens=99)).note == "other_tokens"


def test_thoughts_come_first_and_are_counted_apart(folder: Path) -> None:
    reader = tokens(folder, LLAMA3_TEMPLATE)
    turn = one(reader, Said("the fox", sampled=True, thoughts="<think>a dog</think>"))
    assert response(reader, turn) == "<think>a dog</think>the fox<|eot_id|>"
    thoughts = turn.ids[turn.n_prompt : turn.n_prompt + turn.n_thoughts]
    assert reader.chat.tokenizer.decode(thoughts) == "<think>a dog</think>"


def test_a_response_is_cut_only_where_one_asks_for_it() -> None:
    turn = Turn(list(range(10)), 4)
    assert fitted(turn, 10, False) == (turn, False)
    assert fitted(turn, 9, False) == ("too_long", False)
    assert fitted(turn, 6, True) == (Turn([0, 1, 2, 3, 4, 5], 4, 0, False), True)
    assert fitted(turn, 4, True) == ("too_long", False)  # no room for a token of the response
