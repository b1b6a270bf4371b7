"""What a trainer sees otherwise is counted, and pairs that its limits spoil leave by reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evolve.exports.export import export
from evolve.exports.seen import CONTROLS, CUT, ENDED, IDENTICAL, OTHERWISE, SIDE_LOST, TRIMMED, Limits, Seen
from fake_runs import prompt, write_source
from generation.conversation import ChatTokenizer
from generation.turns import closing_token
from prompts.errors import UserError
from prompts.reasons import REASONS
from templated_runs import EMBEDDED, templated, view

ASKED = "Why is the sky blue?"
PLENTY = Limits(2048)


@pytest.fixture(scope="module")
def chat() -> ChatTokenizer:
    return ChatTokenizer(EMBEDDED, compat=True)


def counted(chat: ChatTokenizer, text: str) -> int:
    """Tokens of an answer as it is sampled: the text's, and the end of the turn."""
    return len(chat.text_ids(text)) + 1


def a_pair(chat: ChatTokenizer, chosen: str, rejected: str, asked: str = ASKED, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": [{"role": "user", "content": asked}]}
    for side, said in (("chosen", chosen), ("rejected", rejected)):
        row |= {side: [{"role": "assistant", "content": said}], f"{side}_id": side}
        row |= {f"n_tokens_{side}": counted(chat, said)}
    return row | changes


def seen_of(
    chat: ChatTokenizer | None,
    pair: dict[str, Any],
    cut_off: tuple[str, ...] = (),
    limits: Limits = PLENTY,
) -> Seen:
    end = closing_token(chat) if chat else None
    seen = Seen(chat, end, lambda ids: [one in cut_off for one in ids], limits)
    seen.keep([pair])
    return seen


@pytest.mark.parametrize("text", ["It scatters.", "", "\u00e9t\u00e9 \u4e2d \U0001f600", "Two\n\nparagraphs."])
def test_where_nothing_differs_nothing_is_counted(chat: ChatTokenizer, text: str) -> None:
    seen = seen_of(chat, a_pair(chat, "Because.", text))
    assert not seen.other
    assert seen.n == 1
    assert "no pair is known" in seen.said()[0]


def test_a_cut_off_loser_gets_an_end_that_was_not_sampled(chat: ChatTokenizer) -> None:
    pair = a_pair(chat, "Because.", "It scatters and")
    pair["n_tokens_rejected"] -= 1
    seen = seen_of(chat, pair, cut_off=("rejected",))
    assert dict(seen.other) == {ENDED: 1}
    assert "1 of 1 pairs" in seen.said()[0]


@pytest.mark.parametrize("text", [" Because.", "Because.\n", "\n\n"])
def test_white_space_that_the_template_trims(chat: ChatTokenizer, text: str) -> None:
    assert dict(seen_of(chat, a_pair(chat, "Because.", text)).other) == {TRIMMED: 1}


@pytest.mark.parametrize("where", ["asked", "chosen", "rejected"])
def test_strings_that_become_control_tokens(chat: ChatTokenizer, where: str) -> None:
    texts = {"asked": ASKED, "chosen": "Because.", "rejected": "No."} | {where: "It says <|eot_id|> there"}
    seen = seen_of(chat, a_pair(chat, **texts))
    assert dict(seen.other) == {CONTROLS: 1}


def test_another_number_of_tokens(chat: ChatTokenizer) -> None:
    pair = a_pair(chat, "Because.", "It scatters.")
    pair["n_tokens_chosen"] += 1
    assert dict(seen_of(chat, pair).other) == {OTHERWISE: 1}


def test_without_the_template_only_texts_are_judged(chat: ChatTokenizer) -> None:
    seen = seen_of(None, a_pair(chat, " Because.", "It says <|eot_id|>"), cut_off=("chosen",))
    assert dict(seen.other) == {ENDED: 1, TRIMMED: 1}
    assert "many templates trim" in " ".join(seen.said())


def test_limits_cut_and_spoil(chat: ChatTokenizer) -> None:
    pair = a_pair(chat, "It scatters more than red does.", "It scatters more than green does, by far.")
    asked = len(chat.encode([pair["prompt"]], generation_prompt=True)[0])
    both = [chat.text_ids(pair[side][0]["content"]) for side in ("chosen", "rejected")]
    shared = next(i for i, (one, other) in enumerate(zip(*both, strict=False)) if one != other)
    assert shared > 0

    def at(max_length: int, max_prompt_length: int | None = None, drop: bool = True) -> Seen:
        return seen_of(chat, pair, limits=Limits(max_length, max_prompt_length, drop))

    whole = asked + max(len(ids) for ids in both) + 1
    assert (at(whole).n, dict(at(whole).other)) == (1, {})
    assert dict(at(whole - 1).other) == {CUT: 1}
    assert at(asked + shared + 1).n == 1
    assert dict(at(asked + shared).dropped) == {IDENTICAL: 1}
    assert dict(at(asked).dropped) == {SIDE_LOST: 1}
    assert (at(asked, drop=False).n, dict(at(asked, drop=False).other)) == (1, {CUT: 1})
    assert at(asked, max_prompt_length=asked - shared - 1).n == 1  # room is made at the prompt's cost
    assert dict(at(asked, max_prompt_length=asked - shared).dropped) == {IDENTICAL: 1}
    assert {IDENTICAL, SIDE_LOST} <= set(REASONS)


def test_an_export_says_what_it_counted_and_keeps_it_beside_the_data(chat: ChatTokenizer, tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)])
    made = templated(source, tmp_path / "run", sampling__max_tokens=30)
    run = view(tmp_path / "run")
    asked = chat.encode([row["prompt"] for row in made.train.to_pylist()], generation_prompt=True)
    longest = max(map(len, asked))  # leaves no room beside the longest prompt
    said = export(run, "trl", tmp_path / "short.jsonl", max_length=longest)
    kept, n = len((tmp_path / "short.jsonl").read_text().splitlines()), len(asked)
    assert 0 < kept < n
    left = next(line for line in said.splitlines() if "left out, side_lost_when_cut" in line)
    assert f": {sum(len(ids) >= longest for ids in asked)} pairs" in left
    ended = [line for line in said.splitlines() if "end of turn" in line]
    assert len(ended) == 1
    assert f"of {kept} pairs" in ended[0]
    for end in ("dpo.py", "simpo.py"):
        config = (tmp_path / f"short-{end}").read_text()
        assert all(f"# {line.strip()}" in config for line in (left, ended[0]))
        assert f"'max_length': {longest}," in config
    with pytest.raises(UserError, match="No pair is left"):
        export(run, "trl", tmp_path / "none.jsonl", max_length=1)
    assert not list(tmp_path.glob("none*"))


def test_a_policy_that_is_gone_is_told(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    templated(source, tmp_path / "run", policy=tmp_path / "gone")
    run = view(tmp_path / "run")
    said = export(run, "trl", tmp_path / "out.jsonl")
    assert "was not counted" in said
    assert str(tmp_path / "gone") in said
    for name, lengths in (("text", {}), ("trl", {"max_length": 9}), ("swift", {"max_prompt_length": 9})):
        with pytest.raises(UserError, match=r"(applies|counts tokens of) the policy's.*gone.*missing"):
            export(run, name, tmp_path / "new.jsonl", **lengths)
    assert not list(tmp_path.glob("new*"))
    export(run, "responses", tmp_path / "all.jsonl")
