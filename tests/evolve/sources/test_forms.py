"""The rows of the datasets that people have, and what their files may look like."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from test_sources import jsonl, parquet, said

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


@pytest.mark.parametrize("source", ["text", "hdf5", "lance", "webdataset", "json", "csv", "conll", "vortex", "pdb"])
def test_names_of_formats_are_no_datasets(source: str) -> None:
    with pytest.raises(UserError, match="the name of a file format"):
        load_prompts(source)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("/", "the whole disk"),
        ("~nosuchuser/x.jsonl", "home directory"),
        ("a\0b.jsonl", "is no path"),
        ("a\0b", "is no path"),
        ("x" * 300, "too long"),
        ("x/" * 3_000, "too long"),
        ("x" * 300 + ".jsonl", "too long"),
        ("/dev/null", "no regular file"),
        ("/proc/self/mem", "has no ending"),
        ("", "Expected a file, a folder or a Hub"),
        (" ", "Expected a file, a folder or a Hub"),
        ("https://me:secret@example.org/x.jsonl", "is an address"),
        ("owner/name/more", "No file at"),
        ("./absent", "No file at"),
        ("-x", "can't be loaded"),
    ],
)
def test_what_is_no_source_is_told(source: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        load_prompts(source)
    assert "secret" not in str(error.value)
    assert len(str(error.value)) < 1_000


def test_fifos_and_folders_of_the_name_of_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")
    with pytest.raises(UserError, match="no regular file"):
        load_prompts(str(tmp_path / "x.jsonl"))
    parquet(tmp_path / "y.parquet" / "part-0.parquet", ["as Spark writes it"])
    assert said(load_prompts(str(tmp_path / "y.parquet"))) == ["as Spark writes it"]


@pytest.mark.parametrize("kind", [".jsonl", ".json", ".csv", ".txt", ".jsonl.gz", ".parquet", ".arrow", ""])
def test_what_another_user_keeps_to_himself(kind: str) -> None:
    """A file that may not be read, or for "" a folder below. Not in pytest's own folder, which is its user's alone."""
    place = tempfile.TemporaryDirectory()
    Path(place.name).chmod(0o755)
    path = Path(place.name) / f"x{kind}"
    parquet(path / "below" / "x.parquet", ["a"]) if not kind else path.write_text("prompt")
    locked = path / "below" if not kind else path
    locked.chmod(0)
    as_root = os.geteuid() == 0
    try:
        if as_root:
            os.seteuid(65534)
        with pytest.raises(UserError, match=r"can't be read \(Permission denied\)"):
            load_prompts(str(path))
    finally:
        if as_root:
            os.seteuid(0)
        locked.chmod(0o700)
        place.cleanup()


def test_a_source_that_goes_while_it_is_read(tmp_path: Path) -> None:
    for kind in (".jsonl", ".parquet"):
        path = tmp_path / f"x{kind}"
        parquet(path, ["a"]) if kind == ".parquet" else jsonl(path, [{"prompt": "a"}])
        drawn = load_prompts(str(path))
        path.unlink()
        with pytest.raises(UserError, match="can't be read"):
            list(drawn.prompts)
