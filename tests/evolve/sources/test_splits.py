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
        ("default/train_prefs/0000.parquet", "train_prefs"),
        ("default/partial-train/0000.parquet", "partial-train"),
        ("test/data-00000-of-00001.arrow", "test"),
        ("validation/part-00000-of-00002.parquet", "validation"),
        ("en-00000-of-00001.parquet", "en"),
        ("data-00000-of-00001.parquet", None),
        ("prompts.test.jsonl", "test"),
        ("v1.2-train.jsonl.gz", "train"),
        ("TestSet.csv", "test"),
        ("trainset2.csv", "train"),
        ("held_out.jsonl", "test"),
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
        ("train/data-00000-of-00001.parquet", "test/data-00000-of-00001.parquet"),
        ("x.train.parquet", "x.test.parquet"),
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


def test_files_of_two_kinds_are_told_apart_by_split_or_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", ["a"])
    jsonl(tmp_path / "test.jsonl", [{"prompt": "held out"}])
    with pytest.raises(UserError, match="has the splits test, train"):
        load_prompts(str(tmp_path))
    assert said(load_prompts(str(tmp_path), split="train")) == ["a"]
    assert said(load_prompts(str(tmp_path), split="test")) == ["held out"]
    jsonl(tmp_path / "train.jsonl", [{"prompt": "a"}])
    with pytest.raises(UserError, match=r"files of \.jsonl and \.parquet"):
        load_prompts(str(tmp_path), split="train")


def test_a_folder_of_other_files_than_parquet(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", [{"prompt": "one"}])
    jsonl(tmp_path / "b.ndjson", [{"prompt": "two"}])
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "three"}\n'))
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    jsonl(tmp_path / ".cache" / "d.jsonl", [{"prompt": "hidden"}])
    assert said(load_prompts(str(tmp_path))) == ["one", "two", "three"]


def test_splits_with_names_of_their_own(tmp_path: Path) -> None:
    """As the Hub's own conversion to parquet lays them out: folders named by split."""
    for name in ("train_sft", "train_prefs", "test_prefs"):
        parquet(tmp_path / "default" / name / "0000.parquet", [f"of {name}"])
    with pytest.raises(UserError, match="has the splits test_prefs, train_prefs, train_sft"):
        load_prompts(str(tmp_path))
    assert said(load_prompts(str(tmp_path), split="train_prefs")) == ["of train_prefs"]
    with pytest.raises(UserError, match="not train"):
        load_prompts(str(tmp_path), split="train")


def test_a_file_in_the_folder_of_another_split_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "test" / "0000.parquet", ["held out"])
    assert said(load_prompts(path, split="test")) == ["held out"]
    for source in (path, str(tmp_path / "test")):
        with pytest.raises(UserError, match="has the split test, not train"):
            load_prompts(source, split="train")


def test_the_name_of_a_file_names_its_split(tmp_path: Path) -> None:
    for name in ("train_sft", "train_gen"):
        parquet(tmp_path / f"{name}.parquet", [name])
    assert said(load_prompts(str(tmp_path), split="train_gen")) == ["train_gen"]
    assert said(load_prompts(str(tmp_path), split="train")) == ["train_gen", "train_sft"]


def test_a_dataset_saved_to_disk(tmp_path: Path) -> None:
    import datasets

    rows = {
        name: datasets.Dataset.from_dict({"prompt": [f"{name} {i}" for i in range(3)]}) for name in ("train", "test")
    }
    datasets.DatasetDict(rows).save_to_disk(tmp_path / "saved")
    assert said(load_prompts(str(tmp_path / "saved"), split="test")) == ["test 0", "test 1", "test 2"]
    with pytest.raises(UserError, match="has the splits test, train"):
        load_prompts(str(tmp_path / "saved"))


def test_links_are_followed_once(tmp_path: Path) -> None:
    parquet(tmp_path / "far" / "a.parquet", ["one"])
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "data").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "loop").symlink_to(tmp_path / "near")
    (tmp_path / "near" / "gone.parquet").symlink_to(tmp_path / "nowhere")
    assert said(load_prompts(str(tmp_path / "near"))) == ["one"]


def test_notes_beside_the_data_are_no_prompts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "evolve")
    parquet(tmp_path / "a.parquet", ["one"])
    (tmp_path / "LICENSE.txt").write_text("MIT")
    (tmp_path / "notes.txt").write_text("of mine")
    (tmp_path / "dataset_info.json").write_text("{}")
    assert said(load_prompts(str(tmp_path))) == ["one"]
    assert "not read: notes.txt" in caplog.text
