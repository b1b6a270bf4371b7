"""Benchmarks in the forms that they are kept in, and what is no benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evolve.sources.benchmarks import benchmark_prompts, fixed
from prompts.errors import UserError


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "one", "output": "no"}, ["one"]),  # AlpacaEval
        ({"key": 1, "prompt": "one", "instruction_id_list": ["x"]}, ["one"]),  # IFEval
        ({"prompt": ["one", "two"], "category": "writing"}, ["one", "two"]),  # MT-Bench
        ({"turns": ["one", "two"], "category": "writing"}, ["one", "two"]),
        ({"question_id": "x", "turns": [{"content": "one"}]}, ["one"]),  # Arena-Hard
        (
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "one"}]},
            ["one"],
        ),
        ({"prompt": " "}, []),
        ({"prompt": None}, []),
        ({"prompt": 3}, []),
        ({"prompt": ["", "two"]}, ["two"]),
        ({"prompt": []}, []),
    ],
)
def test_the_users_turns_of_each_form(row: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    last = dict.fromkeys(row, "last")
    assert benchmark_prompts(str(lines(tmp_path / "b.jsonl", [row, last]))) == [
        *((0, one) for one in said),
        (1, "last"),
    ]


def test_a_line_that_cannot_be_read_is_left_out_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"prompt": "one"}\n{broken\n\n{"prompt": "four"}\n')
    assert [text for _, text in benchmark_prompts(str(path))] == ["one", "four"]


def test_a_split_of_a_folder_is_named_with_a_hash(tmp_path: Path) -> None:
    for split in ("train", "test"):
        lines(tmp_path / f"{split}.jsonl", [{"prompt": split}])
    assert benchmark_prompts(f"{tmp_path}#test") == [(0, "test")]
    assert fixed(f"{tmp_path}#test") == f"{tmp_path}#test"


def test_a_name_with_a_hash_in_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(tmp_path / "a#b.jsonl", [{"prompt": "here"}])
    monkeypatch.chdir(tmp_path)
    assert benchmark_prompts("a#b.jsonl") == [(0, "here")]
    assert fixed("a#b.jsonl") == str(tmp_path / "a#b.jsonl")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"answer": "x"}\n', "has the columns answer; expected one of prompt"),
        ('{"prompt": ""}\n', r"has no prompt in column prompt \(1 rows\)"),
        ("", "none that can be read"),
        ("{broken\n", "none that can be read"),
    ],
)
def test_what_is_no_benchmark_is_told(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(UserError, match=said):
        benchmark_prompts(str(tmp_path / "b.jsonl"))


@pytest.mark.parametrize("source", ["./none.jsonl", "/none/at/all", "", "\0", "a" * 5000, "json"])
def test_a_source_that_is_not_there_is_one_error(source: str) -> None:
    with pytest.raises(UserError):
        benchmark_prompts(source)


def test_a_file_that_may_not_be_read_or_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(UserError, match="can't be read"):
        benchmark_prompts(str(tmp_path / "b.parquet"))
