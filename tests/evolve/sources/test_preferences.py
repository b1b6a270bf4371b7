"""Existing preference data in the forms people publish: what of a row is prompt, pair and reward, and what leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolve.sources.conversation import RowDropped
from evolve.sources.preferences import Given, open_preferences
from prompts.errors import UserError

USER, GOOD, BAD = {"role": "user", "content": "Why?"}, "Because it is so.", "No idea."
SYSTEM = {"role": "system", "content": "Be brief."}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def read(path: Path, rows: list[dict[str, Any]], **how: Any) -> list[Given | RowDropped]:
    file = path / "data.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(open_preferences(str(file), **how).rows())


ONE = Given([USER], [GOOD, BAD], [9.0, 7.5], 0, 1)  # type: ignore[list-item]
LAYOUTS: dict[str, dict[str, Any]] = {
    "text": {"prompt": "Why?", "chosen": GOOD, "rejected": BAD, "chosen_score": 9, "rejected_score": 7.5},
    "UltraFeedback-binarized": {
        "prompt": "Why?",
        "messages": [USER, said(GOOD)],
        "chosen": [USER, said(GOOD)],
        "rejected": [USER, said(BAD)],
        "score_chosen": 9.0,
        "score_rejected": 7.5,
    },
    "messages of the answer alone": {
        "prompt": [USER],
        "chosen": [said(GOOD)],
        "rejected": [said(BAD)],
        "chosen-rating": 9.0,
        "rejected-rating": "7.5",
    },
    "one message": {"prompt": [USER], "chosen": said(GOOD), "rejected": said(BAD), "metadata": {}}
    | {"reward_chosen": 9, "reward_rejected": 7.5},
    "whole conversations without a prompt": {
        "chosen": [USER, said(GOOD)],
        "rejected": [USER, said(BAD)],
        "score_chosen": 9.0,
        "score_rejected": 7.5,
    },
    "transcripts": {
        "chosen": f"\n\nHuman: Why?\n\nAssistant: {GOOD}",
        "rejected": f"\n\nHuman: Why?\n\nAssistant: {BAD}",
        "chosen_reward": 9.0,
        "rejected_reward": 7.5,
    },
    "stored as JSON": {
        "chosen": json.dumps([USER, said(GOOD)]),
        "rejected": json.dumps([USER, said(BAD)]),
        "score_chosen": 9.0,
        "score_rejected": 7.5,
    },
    "scores in metadata": {
        "prompt": "Why?",
        "chosen": GOOD,
        "rejected": BAD,
        "metadata": {"score_chosen": 9.0, "score_rejected": 7.5},
    },
    "ShareGPT turns": {
        "chosen": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": GOOD}],
        "rejected": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": BAD}],
        "score_chosen": 9.0,
        "score_rejected": 7.5,
    },
    "SimPO": {
        "prompt": "Why?",
        "all_generated_responses": ["So so.", BAD, GOOD],
        "all_rm_scores": [8.0, 7.5, 9.0],
        "chosen": [USER, said(GOOD)],
        "rejected": [USER, said(BAD)],
    },
    "SimPO before its pairs": {
        "prompt": "Why?",
        "all_generated_responses": ["So so.", BAD, GOOD],
        "all_rm_scores": [8.0, 7.5, 9.0],
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_published_layout_gives_the_same_pair(layout: str, tmp_path: Path) -> None:
    assert read(tmp_path, [LAYOUTS[layout]]) == [ONE]


def test_all_responses_of_a_prompt_are_read_where_asked_for(tmp_path: Path) -> None:
    for layout in ("SimPO", "SimPO before its pairs"):
        (given,) = read(tmp_path, [LAYOUTS[layout]], all_responses=True)
        assert given == Given([USER], ["So so.", BAD, GOOD], [8.0, 7.5, 9.0], 2, 1)  # type: ignore[list-item]
    with pytest.raises(UserError, match="no column with all responses"):
        read(tmp_path, [LAYOUTS["text"]], all_responses=True)


def test_of_a_margin_alone_the_rejected_response_has_nothing(tmp_path: Path) -> None:
    (given,) = read(tmp_path, [{"prompt": "Why?", "chosen": GOOD, "rejected": BAD, "margin": 1.5}])
    assert isinstance(given, Given)
    assert given.rewards == [1.5, 0.0]


def test_columns_of_any_name_are_read_by_their_roles(tmp_path: Path) -> None:
    row = {"ask": "Why?", "a": GOOD, "b": BAD, "ra": 9, "rb": 7.5}
    named = {"prompt": "ask", "chosen": "a", "rejected": "b", "score_chosen": "ra", "score_rejected": "rb"}
    assert read(tmp_path, [row], named=named) == [ONE]
    with pytest.raises(UserError, match=r"no role 'winner'.*Roles are prompt, chosen"):
        read(tmp_path, [row], named={"winner": "a"})
    with pytest.raises(UserError, match="no column 'c'"):
        read(tmp_path, [row], named={"chosen": "c"})
    with pytest.raises(UserError, match="expected chosen and rejected"):
        read(tmp_path, [row])
    with pytest.raises(UserError, match="no column with prompts"):
        read(tmp_path, [{"chosen": GOOD, "all_generated_responses": [], "all_rm_scores": []}])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": None}, "bad_pair"),
        ({"chosen": 3}, "bad_pair"),
        ({"chosen": []}, "bad_pair"),
        ({"chosen": [USER]}, "bad_pair"),
        ({"prompt": ""}, "empty"),
        ({"prompt": 4}, "bad_row"),
        (
            {"chosen": [USER, said(GOOD)], "rejected": [{"role": "user", "content": "How?"}, said(BAD)]},
            "different_prompts",
        ),
        ({"prompt": "How?", "chosen": [USER, said(GOOD)], "rejected": [USER, said(BAD)]}, "different_prompts"),
        ({"chosen": [USER, USER, said(GOOD)]}, "bad_row"),
    ],
)
def test_a_row_that_is_no_pair_leaves_with_a_reason(row: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = {"prompt": "Why?", "chosen": GOOD, "rejected": BAD, "score_chosen": 9, "score_rejected": 7.5}
    first, second = read(tmp_path, [good | row, good])
    assert isinstance(first, RowDropped)
    assert first.reason == reason
    assert second == ONE


def test_a_reward_that_is_no_number_is_none(tmp_path: Path) -> None:
    row = {"prompt": "Why?", "chosen": "", "rejected": '[{"role": "x"', "score_chosen": None, "score_rejected": "best"}
    (given,) = read(tmp_path, [row])
    assert given == Given([USER], ["", '[{"role": "x"'], [None, None], 0, 1)  # type: ignore[list-item]


def test_what_says_more_is_the_prompt(tmp_path: Path) -> None:
    """A system message that only one of prompt and conversations has, and earlier turns."""
    pair = {"chosen": [USER, said(GOOD)], "rejected": [USER, said(BAD)], "score_chosen": 9, "score_rejected": 7.5}
    earlier = [SYSTEM, {"role": "user", "content": "Hm?"}, said("Hm.")]
    rows: list[dict[str, Any]] = [
        {"prompt": [SYSTEM, USER], **pair},
        {"prompt": "Why?", "system": "Be brief.", **pair},
        {"prompt": "Why?", **pair, "chosen": [*earlier, USER, said(GOOD)], "rejected": [*earlier, USER, said(BAD)]},
    ]
    found = [given.messages for given in read(tmp_path, rows) if isinstance(given, Given)]
    assert found == [[SYSTEM, USER], [SYSTEM, USER], [*earlier, USER]]


def test_parquet_and_the_real_ultrafeedback(tmp_path: Path, shared_data: Path) -> None:
    pq.write_table(pa.Table.from_pylist([LAYOUTS["UltraFeedback-binarized"]]), tmp_path / "train.parquet")
    assert list(open_preferences(str(tmp_path / "train.parquet")).rows()) == [ONE]
    rows = list(open_preferences(str(shared_data)).rows())
    given = [row for row in rows if isinstance(row, Given)]
    dropped = [row.reason for row in rows if isinstance(row, RowDropped)]
    assert len(rows) == 1_000
    assert sum(row.rewards[0] == row.rewards[1] for row in given) == 111
    assert sum(row.texts[0] == row.texts[1] for row in given) == 4
    assert dropped == []
