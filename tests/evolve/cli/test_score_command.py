"""`evolve score FILE`, `evolve annotate FILE`: what is read, what is refused before any work, and the exit code."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import main

Score = Callable[..., tuple[int, str, str]]
LINE = '{"prompt": "a", "response": "b"}\n'


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Score:
    monkeypatch.chdir(tmp_path)

    def call(file: str, command: str = "score", *more: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", command, file, "--reward", "fake", "--out", "out.jsonl", *more])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capsys.readouterr()

    return call


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("command", ["score", "annotate"])
def test_an_earlier_scoring_is_replaced_and_a_byte_order_mark_is_no_content(score: Score, command: str) -> None:
    old = {"prompt": "a", "response": "b", "mine": 1, "error": "old", "rewards": [9], "gating": [9], "score": "old"}
    Path("in.jsonl").write_text("\ufeff" + json.dumps(old) + "\n" + json.dumps({"score": 1, "error": 2}) + "\n")
    code, out, _ = score("in.jsonl", command)
    assert code == 0
    assert "2 lines, 1 scored" in out
    first, second = _rows()
    assert set(first) == {"prompt", "response", "mine", "score"}
    assert isinstance(first["score"], float)
    assert second == {"error": "no_prompt"}


def test_what_can_not_be_written_again_is_an_error_in_its_line(score: Score) -> None:
    bad = ["[" * 5_000, '{"prompt": "a", "response": "b", "x": NaN}', '{"prompt": "a", "response": "b", "x": 1e999}']
    bad += [
        "1" * 5_000,
        "{" * 3,
        '{"prompt":' * 2_000,
        '{"prompt": "a", "response": "b", "x": ' + "[" * 600 + "]" * 600,
    ]
    Path("in.jsonl").write_text(LINE + "\n".join(bad) + "\n")
    assert score("in.jsonl")[0] == 0
    rows = _rows()
    assert len(rows) == 1 + len(bad)
    assert "score" in rows[0]
    assert all(row["error"] == "not_an_object" for row in rows[1:])


def test_nothing_scored_is_exit_code_1(score: Score) -> None:
    Path("in.jsonl").write_text('{"prompt": "a"}\n')
    code, out, err = score("in.jsonl")
    assert code == 1
    assert "1 lines, 0 scored (errors: no_response 1)" in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PAR1" + bytes(100), "parquet"),
        (gzip.compress(LINE.encode()), "gzip"),
        (LINE.encode("utf-16"), "UTF-16"),
        (LINE.encode("utf-16-le"), "UTF-16"),
        (LINE.encode("utf-16-be"), "UTF-16"),
        (LINE.encode("utf-32"), "UTF-32"),
        (b"\x00\x00\xfe\xff" + LINE.encode("utf-32-be"), "UTF-32"),
        (LINE.encode("utf-32-be"), "UTF-32"),
        (LINE.replace("\n", "\r").encode() * 3, "carriage return"),
        (json.dumps([json.loads(LINE)]).encode(), "one JSON value over the whole file"),
        (json.dumps([json.loads(LINE)], indent=1).encode(), "one JSON value over the whole file"),
        (json.dumps(json.loads(LINE), indent=1).encode(), "one JSON value over the whole file"),
        (b"prompt,response\na,b\n", "text without one JSON object"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (bytes(range(256)), "binary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_but_json_lines_is_refused_by_name_before_work(score: Score, content: bytes, found: str) -> None:
    Path("in.jsonl").write_bytes(content)
    code, out, err = score("in.jsonl")
    assert (code, out) == (2, "")
    assert found in err
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("command", ["score", "annotate"])
def test_a_missing_file_is_called_missing_and_a_folder_a_folder(score: Score, command: str, tmp_path: Path) -> None:
    assert "There is no file absent.jsonl" in score("absent.jsonl", command)[2]
    (tmp_path / "folder").mkdir()
    code, _, err = score("./folder", command)
    assert code == 2
    assert "is a folder" in err


@pytest.mark.parametrize("command", ["score", "annotate"])
def test_a_line_that_is_not_utf8_is_an_error_in_its_place(score: Score, command: str) -> None:
    bad = '{"prompt": "caf\u00e9", "response": "b"}\n'.encode("latin-1")
    Path("in.jsonl").write_bytes(LINE.encode() + bad + LINE.encode().replace(b"\n", b"\r\n") + bad + b"\xff\n")
    code, out, _ = score("in.jsonl", command)
    assert code == 0
    assert "5 lines, 2 scored (errors: not_utf8 3)" in out
    rows = _rows()
    assert [row.get("error") for row in rows] == [None, "not_utf8", None, "not_utf8", "not_utf8"]
    assert rows[1]["line"].encode("utf-8", "surrogateescape") == bad
    assert "\ufffd" not in Path("out.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["score", "annotate"])
def test_only_an_earlier_scoring_is_written_over_without_force(score: Score, command: str) -> None:
    Path("in.jsonl").write_bytes(LINE.encode() + b"not json\n\xff\n" + LINE.encode())
    assert score("in.jsonl", command)[0] == 0
    scored = Path("out.jsonl").read_bytes()
    assert score("in.jsonl", command)[0] == 0  # its own
    for foreign in (b"notes\n", LINE.encode(), scored[:-20], scored + scored, scored.replace(b'"a"', b'"c"'), b"\xff"):
        Path("out.jsonl").write_bytes(foreign)
        code, out, err = score("in.jsonl", command)
        assert (code, out) == (2, "")
        assert "out.jsonl is there" in err
        assert "--force" in err
        assert Path("out.jsonl").read_bytes() == foreign
    assert score("in.jsonl", command, "--force")[0] == 0
    assert Path("out.jsonl").read_bytes() == scored
