"""The rows of the datasets that people have, and what their files may look like."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import random
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

USER, SYSTEM = "What is it?", "Be brief."


def turns(row: dict[str, Any], column: str) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in messages_of(row, column)]


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ({"instruction": "Sum up.", "context": "A text."}, "instruction", [("user", "Sum up.\n\nA text.")]),  # Dolly
        ({"question": "Who?", "context": "It was Ann."}, "question", [("user", "Who?\n\nIt was Ann.")]),
        ({"question": USER, "system_prompt": SYSTEM}, "question", [("system", SYSTEM), ("user", USER)]),  # OpenOrca
        (
            {"conversations": [{"from": "human", "value": USER}], "system": SYSTEM},  # ShareGPT
            "conversations",
            [("system", SYSTEM), ("user", USER)],
        ),
        (
            {"instruction": "And you?", "history": [["Hi.", "Hello."]], "system": SYSTEM},  # Alpaca
            "instruction",
            [("system", SYSTEM), ("user", "Hi."), ("assistant", "Hello."), ("user", "And you?")],
        ),
        ({"messages": json.dumps([{"role": "user", "content": USER}])}, "messages", [("user", USER)]),
        (
            {"messages": [{"role": "developer", "content": SYSTEM}, {"role": "user", "content": USER}]},
            "messages",
            [("system", SYSTEM), ("user", USER)],
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": USER}]}]}, "messages", [("user", USER)]),
        ({"prompt": "[1, 2, 3] sorted?"}, "prompt", [("user", "[1, 2, 3] sorted?")]),
        ({"prompt": '[{"a": 1}]'}, "prompt", [("user", '[{"a": 1}]')]),  # a list, and no conversation
        ({"prompt": USER, "system": " "}, "prompt", [("user", USER)]),
    ],
)
def test_what_makes_a_prompt(row: dict[str, Any], column: str, expected: list[tuple[str, str]]) -> None:
    assert turns(row, column) == expected


@pytest.mark.parametrize(
    "message",
    [
        {"role": {"a": 1}, "content": "x"},
        {"role": ["user"], "content": "x"},
        {"role": "user", "content": [{"type": "image_url", "image_url": "x"}]},
        {"role": "user", "content": {"text": "x"}},
        {"role": "<|eot_id|>", "content": "x"},
    ],
)
def test_what_makes_none_is_a_reason(message: dict[str, Any]) -> None:
    with pytest.raises(RowDropped) as drop:
        messages_of({"messages": [message]}, "messages")
    assert drop.value.reason == "bad_row"


def test_rows_that_differ_in_their_context_are_no_duplicates(tmp_path: Path) -> None:
    rows = [{"instruction": "Sum up.", "context": text} for text in ("One.", "Two.", "One.")]
    drawn = load_prompts(jsonl(tmp_path / "x.jsonl", rows))
    assert (len(drawn), drawn.dropped) == (2, {"duplicate": 1})


def test_columns_that_are_not_read_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "evolve")
    load_prompts(jsonl(tmp_path / "x.jsonl", [{"prompt": "a", "system": "s", "persona": "p"}]))
    assert "not read: persona" in caplog.text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.jsonl", codecs.BOM_UTF8 + b'{"prompt": "caf\xc3\xa9"}\n'),
        ("x.jsonl", '{"prompt": "café"}\n'.encode("utf-16")),
        ("x.ndjson", '{"prompt": "café"}\n'.encode()),
        ("x.jsonl.gz", gzip.compress('{"prompt": "café"}\n'.encode())),
        ("x.txt", "café\n".encode("utf-16")),
        ("x.csv", "id;prompt\n1;café\n".encode()),
        ("x.csv", "id,prompt\n1,café\n".encode("utf-16")),
        ("x.tsv", "id\tprompt\n1\tcafé\n".encode()),
        ("x.csv.gz", gzip.compress("prompt\ncafé\n".encode())),
        ("x.json", codecs.BOM_UTF8 + '[{"prompt": "café"}]'.encode()),
        ("x.json", '[{"prompt": "café"}]'.encode("utf-16")),
    ],
)
def test_encodings_and_packings(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert said(load_prompts(str(tmp_path / name))) == ["café"]


def test_latin_1_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("café\nthé\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_prompts(str(tmp_path / "x.txt"))


@pytest.mark.parametrize("source", ["text", "hdf5", "lance", "webdataset", "json", "csv"])
def test_names_of_formats_are_no_datasets(source: str) -> None:
    with pytest.raises(UserError, match="the name of a file format"):
        load_prompts(source)


@pytest.mark.parametrize(
    "source", ["/", "~nosuchuser/x.jsonl", "a\0b.jsonl", "x" * 300, "/dev/null", "x" * 300 + ".jsonl", ""]
)
def test_what_is_no_source_is_told(source: str) -> None:
    with pytest.raises(UserError):
        load_prompts(source)


def test_a_rotten_page_and_values_out_of_range(tmp_path: Path) -> None:
    text = pa.array([b"fine", b"\xff\xfe", b"good"], pa.binary()).view(pa.binary())
    bad = pa.StringArray.from_buffers(3, text.buffers()[1], text.buffers()[2])
    pq.write_table(pa.table({"prompt": bad}), tmp_path / "x.parquet")
    drawn = load_prompts(str(tmp_path / "x.parquet"))
    assert said(drawn) == ["fine", "good"]
    assert drawn.dropped == {"bad_row": 1}
    pq.write_table(
        pa.table({"prompt": [f"prompt {i} {random.Random(i).random()}" for i in range(5_000)]}), tmp_path / "y.parquet"
    )
    data = bytearray((tmp_path / "y.parquet").read_bytes())
    data[1_000:3_000] = bytes(2_000)
    (tmp_path / "y.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"y\.parquet can't be read to its end"):
        load_prompts(str(tmp_path / "y.parquet"))


VALUES: list[Any] = [
    "text",
    "",
    " ",
    None,
    3,
    1.5,
    True,
    [],
    {},
    [[]],
    ["a"],
    {"role": "user"},
    "[",
    '[{"role": 1}]',
    "\0",
]


def _value(rng: random.Random, depth: int = 0) -> Any:
    if depth > 2 or rng.random() < 0.5:
        return rng.choice(VALUES)
    if rng.random() < 0.5:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(3))]
    keys = ("role", "content", "from", "value", "type", "text", "input")
    return {rng.choice(keys): _value(rng, depth + 1) for _ in range(rng.randrange(4))}


def _damaged(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return rng.choice(
        [data[:at], data[:at] + rng.randbytes(3) + data[at:], data[: at // 2] + data[at:], rng.randbytes(at)]
    )


def _outcome(row: dict[str, Any], column: str) -> str:
    try:
        found = messages_of(row, column)
    except RowDropped as drop:
        return drop.reason
    return "messages" if all(isinstance(turn["content"], str) for turn in found) else "no messages"


def test_no_input_is_more_than_a_user_can_mend(tmp_path: Path) -> None:
    """Odd values in all columns, and damaged files of all kinds. EVOLVE_FUZZ says how many of each."""
    rng = random.Random(18)
    columns = ("prompt", "messages", "instruction", "question", "system", "history", "context", "instances")
    for _ in range(int(os.environ.get("EVOLVE_FUZZ", "400"))):
        row = {rng.choice(columns): _value(rng) for _ in range(3)}
        for column in row:
            assert _outcome(row, column) in ("messages", "empty", "bad_row")
        kind = rng.choice([".jsonl", ".json", ".csv", ".tsv", ".txt", ".jsonl.gz", ".parquet"])
        path = tmp_path / f"x{kind}"
        plain = (json.dumps(row) + "\n").encode() * 3
        if kind == ".parquet":
            pq.write_table(pa.table({"prompt": ["a", "b"], "n": [1, 2]}), path)
            plain = path.read_bytes()
        path.write_bytes(_damaged(rng, gzip.compress(plain) if kind.endswith(".gz") else plain))
        try:
            list(load_prompts(str(path)).prompts)
        except UserError:
            continue
