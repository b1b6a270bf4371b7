"""Prompts from files of every kind: what is read, what is dropped and why, what is drawn, and what a user is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolve.sources.prompts import SourcePrompts, load_prompts
from places import SHARED
from prompts import Prompt
from prompts.errors import UserError

REAL = SHARED / "data"
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "A story, please."},
    {"role": "assistant", "content": "Once."},
    {"role": "user", "content": "Longer."},
]


def jsonl(path: Path, rows: list[Any]) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def parquet(path: Path, said: list[Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"prompt": said}), path)
    return str(path)


def said(drawn: SourcePrompts) -> list[str]:
    return [prompt.instruction for prompt in drawn.prompts]


def books_balance(drawn: SourcePrompts) -> bool:
    return drawn.n_in == len(drawn) + sum(drawn.dropped.values()) and len(drawn) == len(list(drawn.prompts))


THREE = ["Name a fish.", 'Say "hi",\nthen leave.', "写一首诗"]
WRITERS: dict[str, Callable[[Path], Any]] = {
    "jsonl": lambda path: jsonl(path, [{"prompt": text} for text in THREE]),
    "json": lambda path: path.write_text(json.dumps([{"prompt": text} for text in THREE], indent=2), "utf-8"),
    "json of strings": lambda path: path.write_text(json.dumps(THREE), "utf-8"),
    "json with data": lambda path: path.write_text(json.dumps({"v": 1, "data": [{"prompt": t} for t in THREE]})),
    "json of lines": lambda path: jsonl(path, [{"prompt": text} for text in THREE]),
    "csv": lambda path: path.write_text(
        'id,prompt\n1,Name a fish.\n2,"Say ""hi"",\nthen leave."\n3,写一首诗\n', "utf-8"
    ),
    "csv with BOM": lambda path: path.write_text(
        'prompt\nName a fish.\n"Say ""hi"",\nthen leave."\n写一首诗\n', "utf-8-sig"
    ),
    "parquet": lambda path: parquet(path, THREE),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_prompts_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind.split()[0]}"
    WRITERS[kind](path)
    drawn = load_prompts(str(path))
    assert said(drawn) == THREE
    assert said(drawn) == THREE  # read anew
    assert drawn.column == "prompt"
    assert drawn.dropped == {}
    assert books_balance(drawn)


def test_txt_has_a_prompt_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"Name a fish.\r\n\r\n" + "写一首诗\u2028two".encode() + b"\nbad \xff\n")
    drawn = load_prompts(str(tmp_path / "x.txt"))
    assert said(drawn) == ["Name a fish.", "写一首诗\u2028two"]
    assert drawn.dropped == {"empty": 1, "bad_row": 1}
    assert drawn.bad_rows[0].startswith("row 4: not UTF-8")


def test_a_folder_of_parquet_and_its_splits(tmp_path: Path) -> None:
    for n, text in enumerate(["a1", "a2"]):
        parquet(tmp_path / "data" / f"train_prefs-0000{n}-of-00002.parquet", [text])
    parquet(tmp_path / "data" / "test_prefs-00000-of-00001.parquet", ["b"])
    assert said(load_prompts(str(tmp_path), split="train_prefs")) == ["a1", "a2"]
    assert said(load_prompts(str(tmp_path), split="test_prefs")) == ["b"]
    for split in (None, "train"):
        with pytest.raises(UserError, match="has the splits test_prefs, train_prefs"):
            load_prompts(str(tmp_path), split=split)
    parquet(tmp_path / "flat" / "one.parquet", ["c"])
    parquet(tmp_path / "flat" / "two.parquet", ["d"])
    assert said(load_prompts(str(tmp_path / "flat"), split="train")) == ["c", "d"]


def test_conversations_end_with_their_last_user_turn(tmp_path: Path) -> None:
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    sharegpt = [{"from": names[turn["role"]], "value": turn["content"]} for turn in TALK]
    rows = [
        {"messages": [*TALK, {"role": "assistant", "content": "Once upon a time."}], "source": "x"},
        {"messages": [*sharegpt[1:], {"from": "gpt", "value": "Once upon a time."}]},
        {"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Hi."}]},
        {"messages": "A plain string."},
    ]
    drawn = load_prompts(jsonl(tmp_path / "x.jsonl", rows))
    assert [prompt.messages for prompt in drawn.prompts] == [
        TALK,
        TALK[1:],
        [{"role": "user", "content": "Hi."}],
        [{"role": "user", "content": "A plain string."}],
    ]
    nested = parquet(tmp_path / "x.parquet", [TALK])
    assert next(load_prompts(nested).prompts) == Prompt(TALK)  # type: ignore[arg-type]


def test_every_row_that_is_no_prompt_is_dropped_with_a_reason(tmp_path: Path) -> None:
    user, answer = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}
    rows: list[Any] = [
        {"prompt": "kept"},
        {"prompt": " Kept! "},  # duplicate
        {"prompt": " \n"},  # empty
        {"prompt": None},  # empty
        {"prompt": []},  # empty
        {"prompt": [{"role": "user", "content": " "}]},  # empty
        "not JSON",
        "[" * 100_000,
        {"text": "no such column"},
        {"prompt": 7},
        {"prompt": ["strings"]},
        {"prompt": [answer]},
        {"prompt": [answer, user]},
        {"prompt": [user, user]},
        {"prompt": [user, answer, {"role": "system", "content": "x"}, user]},
        {"prompt": [{"role": "system", "content": "x"}]},
        {"prompt": [user, {"role": "tool", "content": "x"}, user]},
        {"prompt": [{"role": "user", "content": None}]},
        {"prompt": {"role": "user"}},
        {"prompt": [user, answer, user]},
    ]
    drawn = load_prompts(jsonl(tmp_path / "x.jsonl", rows))
    assert said(drawn) == ["kept", "Hi"]
    assert drawn.dropped == {"duplicate": 1, "empty": 4, "bad_row": 13}
    assert drawn.n_in == len(rows)
    assert books_balance(drawn)
    assert [told.split(":")[0] for told in drawn.bad_rows] == ["row 7", "row 8", "row 9"]


def test_duplicates_keep_the_first_and_respect_context(tmp_path: Path) -> None:
    other = [{"role": "user", "content": "A song."}, {"role": "assistant", "content": "La."}, TALK[-1]]
    rows = [{"prompt": x} for x in ("What is C?", "What is C++?", "what is c", TALK[1:], other, TALK[1:])]
    drawn = load_prompts(jsonl(tmp_path / "x.jsonl", rows))
    assert said(drawn) == ["What is C?", "What is C++?", "Longer.", "Longer."]
    assert drawn.dropped == {"duplicate": 2}


def test_an_instruction_takes_its_input_along(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Sort these.", "input": "3 1 2", "output": "1 2 3"},
        {"instruction": "Tell a joke.", "input": ""},
        {"instruction": "Add them.", "instances": [{"input": "1 and 2", "output": "3"}]},
        {"instruction": "", "input": "nothing asked"},
    ]
    path = jsonl(tmp_path / "x.jsonl", rows)
    assert said(load_prompts(path)) == ["Sort these.\n\n3 1 2", "Tell a joke.", "Add them.\n\n1 and 2"]
    assert said(load_prompts(path, column="input")) == ["3 1 2", "nothing asked"]


def test_odd_text_survives_and_can_be_stored(tmp_path: Path) -> None:
    rows = ['{"prompt": "half \\ud83d pair"}', '{"prompt": "whole \\ud83d\\ude00"}', '{"prompt": "NUL \\u0000 inside"}']
    texts = said(load_prompts(jsonl(tmp_path / "x.jsonl", rows)))
    assert texts == ["half \ufffd pair", "whole 😀", "NUL \x00 inside"]
    assert pa.array(texts).to_pylist() == texts
    long = "word " * 200_000
    (tmp_path / "x.csv").write_text(f'prompt\n"{long}"\n"NUL \x00"\n', "utf-8")
    assert said(load_prompts(str(tmp_path / "x.csv"))) == [long, "NUL \x00"]


def test_csv_rows_of_another_width_or_encoding_cost_themselves_alone(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"id,prompt\n1,one\n2\n3,three,more\n\n4,caf\xe9\n5,five\n")
    drawn = load_prompts(str(tmp_path / "x.csv"))
    assert said(drawn) == ["one", "five"]
    assert drawn.dropped == {"bad_row": 3}


def hundred(path: Path, order: int = 1) -> str:
    return jsonl(path, [{"prompt": f"Prompt number {n}"} for n in range(100)][::order])


def test_draws_are_disjoint_and_cover_everything(tmp_path: Path) -> None:
    path = hundred(tmp_path / "x.jsonl")
    draws = [load_prompts(path, limit=25, draw=d) for d in (1, 2, 3, 4)]
    assert all(books_balance(drawn) and drawn.dropped == {"not_drawn": 75} for drawn in draws)
    assert sorted(text for drawn in draws for text in said(drawn)) == sorted(said(load_prompts(path)))


def test_a_draw_is_its_seed_s_alone(tmp_path: Path) -> None:
    path, turned = hundred(tmp_path / "x.jsonl"), hundred(tmp_path / "y.jsonl", -1)
    first = said(load_prompts(path, limit=10, seed=1))
    assert first == said(load_prompts(path, limit=10, seed=1))
    assert set(first) == set(said(load_prompts(turned, limit=10, seed=1)))  # the order of the file does not matter
    assert set(first) != set(said(load_prompts(path, limit=10, seed=2)))
    assert set(first) < set(said(load_prompts(path, limit=20, seed=1)))  # a larger limit adds to a smaller one
    numbers = [int(text.split()[-1]) for text in first]
    assert numbers == sorted(numbers)  # told in the order of the file
    assert numbers != list(range(10))


def test_a_file_that_changes_between_the_readings_is_told(tmp_path: Path) -> None:
    drawn = load_prompts(hundred(tmp_path / "x.jsonl"))
    jsonl(tmp_path / "x.jsonl", [{"prompt": "one is left"}])
    with pytest.raises(UserError, match="changed while they were read"):
        list(drawn.prompts)


def test_users_are_told_what_is_there_and_the_way_out(tmp_path: Path) -> None:
    path = hundred(tmp_path / "x.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "bad.json").write_text('[{"prompt": "a"')
    cases: list[tuple[str, dict[str, Any], str]] = [
        (path, {"column": "text"}, "There are: prompt"),
        (path, {"limit": 101}, "has 100 different prompts, and this draw needs 101"),
        (path, {"limit": 40, "draw": 3}, "needs 120"),
        (path, {"limit": 0}, "expected both from 1"),
        (path, {"draw": 2}, "a limit for a draw above 1"),
        (jsonl(tmp_path / "a.jsonl", [{"body": "x"}]), {}, "has the columns body"),
        (jsonl(tmp_path / "b.jsonl", [{"prompt": 1}, {"prompt": ""}]), {}, "row 1: prompt is a int"),
        (str(tmp_path / "empty.jsonl"), {}, "no row that can be read"),
        (str(tmp_path / "bad.parquet"), {}, "can't be read as parquet"),
        (str(tmp_path / "bad.json"), {}, "is not JSON"),
        (str(tmp_path / "absent.jsonl"), {}, "No file at"),
        (str(tmp_path / "absent"), {}, "No file at"),
        (str(tmp_path), {}, "Expected files of one kind"),
        (__file__, {}, "ends in .py"),
    ]
    for source, options, says in cases:
        with pytest.raises(UserError) as error:
            load_prompts(source, **options)
        assert says in str(error.value)
