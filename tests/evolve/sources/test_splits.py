"""Held-out rows never end among the prompts unasked, and a split that was asked for is the one that is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from test_sources import jsonl, parquet, said

from evolve.sources.prompts import load_prompts
from evolve.sources.splits import split_of
from prompts.errors import UserError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.parquet", "train"),
        ("test.jsonl", "test"),
        ("default/train/0000.parquet", "train"),
        ("data/validation/part.jsonl.gz", "validation"),
        ("train-00000-of-00002-0123456789abcdef.parquet", "train"),
        ("train_prefs-00000-of-00001.parquet", "train_prefs"),
        ("my_dev_set.csv", "validation"),
        ("ultrafeedback-test.jsonl", "test"),
        ("train_test.csv", None),
        ("prompts.jsonl", None),
        ("latest.jsonl", None),
        ("contest.jsonl", None),
    ],
)
def test_the_split_that_a_name_says(name: str, split: str | None) -> None:
    assert split_of(Path("/data") / name, Path("/data")) == split


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train-00000-of-00001-aa.parquet", "test-00000-of-00001-bb.parquet"),
    ],
)
def test_a_folder_with_splits_is_read_by_split_or_refused(train: str, test: str, tmp_path: Path) -> None:
    parquet(tmp_path / train, ["to train on"])
    parquet(tmp_path / test, ["held out"])
    with pytest.raises(UserError, match=r"has the splits test, train\. Set `prompts.split`"):
        load_prompts(str(tmp_path))
    assert said(load_prompts(str(tmp_path), split="train")) == ["to train on"]
    assert said(load_prompts(str(tmp_path), split="test")) == ["held out"]
    with pytest.raises(UserError, match="not validation"):
        load_prompts(str(tmp_path), split="validation")


def test_files_of_a_split_beside_others_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "test.parquet", ["held out"])
    parquet(tmp_path / "more.parquet", ["whatever"])
    with pytest.raises(UserError, match=r"more\.parquet of no split"):
        load_prompts(str(tmp_path))


def test_a_split_that_a_single_file_can_not_have_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "train.jsonl", [{"prompt": "a"}])
    assert said(load_prompts(path, split="train")) == ["a"]
    with pytest.raises(UserError, match="not test"):
        load_prompts(path, split="test")


def test_files_of_two_kinds_in_a_folder_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", ["a"])
    jsonl(tmp_path / "test.jsonl", [{"prompt": "held out"}])
    with pytest.raises(UserError, match=r"files of \.jsonl and \.parquet"):
        load_prompts(str(tmp_path))


def test_a_folder_of_other_files_than_parquet(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", [{"prompt": "one"}])
    jsonl(tmp_path / "b.ndjson", [{"prompt": "two"}])
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "three"}\n'))
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    jsonl(tmp_path / ".cache" / "d.jsonl", [{"prompt": "hidden"}])
    assert said(load_prompts(str(tmp_path))) == ["one", "two", "three"]
