"""What files may look like: encodings, packings and damage are read, cost a row, or are told by name."""

from __future__ import annotations

import codecs
import gzip
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_sources import parquet, said

from evolve.sources.prompts import load_prompts
from prompts.errors import UserError


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
        ("x.jsonl", '{"prompt": "café"}\n'.encode("utf-32")),
        ("x.jsonl.gz", gzip.compress('{"prompt": "café"}\n'.encode("utf-16"))),
        ("x.jsonl", gzip.compress('{"prompt": "café"}\n'.encode())),
        ("x.csv", "sep=;\r\nid;prompt\r\n1;café\r\n".encode()),
        ("x.csv", "id;prompt;a, b\n1;café;\n".encode()),
        ("x.csv", "id;prompt;café\n1;café;\n".encode("utf-8-sig")),
        ("x.csv", "id|prompt\n1|café\n".encode()),
        ("x.csv", "id,prompt\r1,café\r".encode()),
        ("x.txt", b"caf\xc3\xa9\r \r"),
        ("x.TSV", "id\tprompt\n1\tcafé\n".encode("utf-8-sig")),
    ],
)
def test_encodings_and_packings(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert said(load_prompts(str(tmp_path / name))) == ["café"]


def test_latin_1_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("café\nthé\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_prompts(str(tmp_path / "x.txt"))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.txt", "Tell me.\nMore.\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("x.jsonl", '{"prompt": "a"}\n'.encode("utf-16-be"), "UTF-16 without a byte order mark"),
        ("x.txt", codecs.BOM_UTF16_LE + b"a\0b", "begins as UTF-16 and is not"),
        ("x.jsonl", b"PK\x03\x04....", "a zip archive"),
        ("x.jsonl", b"\x28\xb5\x2f\xfd....", "packed by zstd"),
        ("x.csv", b"PAR1....", "is parquet"),
        ("x.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", "git-lfs pointer"),
        ("x.parquet", b"version https://git-lfs.github.com/spec/v1\noid", "git-lfs pointer"),
        ("x.txt", b"<!DOCTYPE html><title>Sign in", "a web page"),
        ("x.jsonl.gz", gzip.compress(b'{"prompt": "a"}\n' * 9_000)[:-30], "can't be unpacked"),
        ("x.jsonl.gz", gzip.compress(b'{"prompt": "a"}\n')[:-8] + bytes(8), "can't be unpacked"),
        ("x.csv", b"prompt,prompt\na,b\n", "more than one column prompt"),
        ("x.jsonl.zst", b"....", "ends in .zst"),
        ("x.gz", gzip.compress(b"a"), "ends in .gz"),
    ],
)
def test_what_can_not_be_read_is_named(name: str, data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=says):
        load_prompts(str(tmp_path / name))


def test_rows_that_are_not_csv_cost_themselves_alone(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('prompt,n\none,1\n"two" more,2\nthree,3\n"four,4\nfive,5\n', "utf-8")
    drawn = load_prompts(str(tmp_path / "x.csv"))
    assert (said(drawn), drawn.dropped) == (["one", "three"], {"bad_row": 2})
    assert "line 3 is not CSV" in drawn.bad_rows[0]
    assert "line 6 is not CSV (unexpected end of data)" in drawn.bad_rows[1]


def test_parquet_with_columns_that_are_named_twice_or_missing(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["prompt", "prompt"])
    pq.write_table(twice, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="more than one column prompt"):
        load_prompts(str(tmp_path / "x.parquet"))
    parquet(tmp_path / "two" / "a.parquet", ["one"])
    pq.write_table(pa.table({"other": ["x", "y"]}), tmp_path / "two" / "b.parquet")
    drawn = load_prompts(str(tmp_path / "two"))
    assert (drawn.n_in, drawn.dropped) == (3, {"bad_row": 2})


@pytest.mark.parametrize("kind", ["parquet", "stream.arrow", "file.arrow"])
def test_values_that_python_can_not_hold_cost_their_rows_alone(kind: str, tmp_path: Path) -> None:
    text = pa.array([b"fine", b"\xff\xfe", b"good"], pa.binary())
    bad = pa.StringArray.from_buffers(3, text.buffers()[1], text.buffers()[2])
    nested = pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 3]), pa.StructArray.from_arrays([bad, bad], ["role", "content"])
    )
    dates = pa.array([0, 2**62, -(2**62)], pa.int64()).cast(pa.timestamp("us"))
    table = pa.table({"prompt": bad, "dates": dates, "messages": nested})
    path = tmp_path / f"x.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with (pa.ipc.new_stream if "stream" in kind else pa.ipc.new_file)(path, table.schema) as writer:
            writer.write_table(table)
    drawn = load_prompts(str(path))
    assert (said(drawn), drawn.dropped) == (["fine", "good"], {"bad_row": 1})
    with pytest.raises(UserError, match=r"3 rows; row 1: dates is a datetime.*row 2: a value that can't be read"):
        load_prompts(str(path), column="dates")
    with pytest.raises(UserError, match=r"x.*can't be read to its end|row 1: a message with role 'fine'"):
        load_prompts(str(path), column="messages")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_rotten_page_is_told_of_its_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"y.{kind}"
    table = pa.table({"prompt": [f"prompt {i} {random.Random(i).random()}" for i in range(5_000)]})
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)
    data = bytearray(path.read_bytes())
    data[2_000:4_000] = bytes(2_000)
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"y\.{kind} can't be read to its end"):
        load_prompts(str(path))
