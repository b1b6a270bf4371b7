"""What of a row is its prompt: the columns of the datasets that people have, conversations in every packing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_sources import jsonl, said

from evolve.sources.conversation import RowDropped
from evolve.sources.messages import messages_of
from evolve.sources.prompts import load_prompts
from prompts.errors import UserError

ASK = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Ho"}


def turns(row: dict[str, Any], column: str) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in messages_of(row, column)]


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ({"instruction": "Double it.", "input": 21}, "instruction", "Double it.\n\n21"),
        ({"instruction": "Double it.", "input": 0}, "instruction", "Double it.\n\n0"),
        ({"instruction": "Say hi.", "input": float("nan")}, "instruction", "Say hi."),  # pandas' empty cell
        ({"instruction": "Add 1.", "input": "1"}, "instruction", "Add 1.\n\n1"),
        ({"instruction": "Do.", "context": "C", "input": "I"}, "instruction", "Do.\n\nC\n\nI"),
        ({"prompt": "Who?", "context": "It was Ann."}, "prompt", "Who?\n\nIt was Ann."),
        ({"prompt": "It was Ann. Who?", "context": "It was Ann."}, "prompt", "It was Ann. Who?"),
        ({"question": "Who?", "context": ["One.", " ", "Two."]}, "question", "Who?\n\nOne.\n\nTwo."),
        ({"problem": "Solve x."}, "problem", "Solve x."),
        ({"prompt": "Human: Hi, I am new."}, "prompt", "Human: Hi, I am new."),
        ({"prompt": '[{"role": "user", "content": "hi"}] Why is this refused?'}, "prompt", None),
        ({"prompt": '{"content": "x"}'}, "prompt", None),
        ({"prompt": '{"from": "bob"}'}, "prompt", None),
    ],
)
def test_what_a_text_takes_along(row: dict[str, Any], column: str, expected: str | None) -> None:
    assert turns(row, column) == [("user", row[column] if expected is None else expected)]


MESSAGES = json.dumps([ASK, ANSWER, ASK])
SAID = [("user", "Hi"), ("assistant", "Ho"), ("user", "Hi")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MESSAGES, SAID),
        (json.dumps(MESSAGES), SAID),  # twice JSON
        (f"\n {MESSAGES} ", SAID),
        (json.dumps({"messages": [ASK]}), SAID[:1]),
        (json.dumps({"id": 1, "messages": [ASK]}), SAID[:1]),
        (json.dumps([{"id": 1} | ASK]), SAID[:1]),
        (json.dumps({"id": 1, "note": [ASK]}), None),  # an object that somebody asks about
        ("[{broken", None),
        (json.dumps(ASK), SAID[:1]),
        ({"messages": [ASK]}, SAID[:1]),
        ([{"from": "Human", "value": "Hi"}, {"from": "chatgpt", "value": "Ho"}], SAID[:1]),
        ([ASK, {"role": "assistant", "content": None, "tool_calls": []}], SAID[:1]),  # an answer is not looked at
        ([ASK, {"role": "assistant", "content": [{"type": "image"}]}], SAID[:1]),
        ([{"role": "USER ", "content": "Hi"}], SAID[:1]),
        ([{"role": "user", "content": [{"type": "input_text", "text": "H"}, {"type": "text", "text": "i"}]}], SAID[:1]),
        ([[("role", "user"), ("content", "Hi")]], SAID[:1]),  # a map of Arrow
        ("\n\nHuman: Hi\n\nAssistant: Ho\n\nHuman: Hi\n\nAssistant:", SAID),
    ],
)
def test_conversations_in_every_packing(value: Any, expected: list[tuple[str, str]] | None) -> None:
    assert turns({"messages": value}, "messages") == ([("user", value)] if expected is None else expected)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"messages": MESSAGES[:-9]}, "begins as messages in JSON and is none"),
        ({"messages": "[{'role': 'user', 'content': 'Hi'}]"}, "as Python prints it"),
        ({"messages": '[{"role": "user"}]'}, "content of type NoneType"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "part of type image_url",
        ),
        ({"messages": [{"role": {"a": 1}, "content": "x"}]}, "role of type dict"),
        ({"messages": [ASK, {"role": "tool", "content": "x"}]}, "role 'tool'"),
        ({"instruction": "Do.", "input": {"a": 1}}, "input is a dict, expected text"),
        ({"question": "Who?", "context": {"title": ["a"]}}, "context is a dict"),
        ({"prompt": "Hi", "system": True}, "system is a bool"),
        ({"prompt": "Hi", "history": "[["}, "a history that is no list"),
        ({"prompt": "Hi", "history": [["a"]]}, "no list of pairs"),
        ({"prompt": b"bytes"}, "prompt is a bytes"),
    ],
)
def test_what_is_no_prompt_is_told(row: dict[str, Any], why: str) -> None:
    with pytest.raises(RowDropped, match=why) as drop:
        messages_of(row, next(iter(row)))
    assert drop.value.reason == "bad_row"


@pytest.mark.parametrize("history", [[["Hi", "Ho"]], '[["Hi", "Ho"]]', [ASK, ANSWER]])
def test_histories(history: Any) -> None:
    assert turns({"prompt": "Hi", "history": history}, "prompt") == SAID
    for nothing in (None, [], "", " ", "[]"):
        assert turns({"prompt": "Hi", "history": nothing}, "prompt") == SAID[:1]


@pytest.mark.parametrize("column", ["history", "system", "system_prompt", "context", "input"])
def test_a_column_is_not_taken_along_with_itself(column: str, tmp_path: Path) -> None:
    """Reddit posts (SHP) have the prompt in `history`; some evaluate system prompts."""
    path = jsonl(tmp_path / "x.jsonl", [{column: "A post."}])
    assert [prompt.messages for prompt in load_prompts(path, column=column).prompts] == [
        [{"role": "user", "content": "A post."}]
    ]


def test_single_messages_of_trees_are_refused(tmp_path: Path) -> None:
    rows = [{"text": "Hi", "role": "prompter"}, {"text": "Ho", "role": "assistant"}]
    path = jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(UserError, match="a message in each row"):
        load_prompts(path)
    assert len(load_prompts(path, column="text")) == 2  # named: as it was asked for


def test_json_columns_of_arrow(tmp_path: Path) -> None:
    stored = pa.array([MESSAGES, json.dumps([ASK])], pa.json_())
    pq.write_table(pa.table({"messages": stored}), tmp_path / "x.parquet")
    assert [len(prompt.messages) for prompt in load_prompts(str(tmp_path / "x.parquet")).prompts] == [3, 1]


def test_maps_of_arrow(tmp_path: Path) -> None:
    kind = pa.list_(pa.map_(pa.string(), pa.string()))
    stored = pa.array([[list(ASK.items())]], kind)
    pq.write_table(pa.table({"messages": stored}), tmp_path / "x.parquet")
    assert said(load_prompts(str(tmp_path / "x.parquet"))) == ["Hi"]


def test_what_is_read_and_what_is_not_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "evolve")
    row = {"prompt": "a", "system": "s", "persona": "p", "n": 1}
    list(load_prompts(jsonl(tmp_path / "x.jsonl", [row, row | {"prompt": "b"}])).prompts)
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "prompts are taken from prompt with system; not read: persona, n"
    ]
