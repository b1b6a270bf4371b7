"""One resolution of a source's path, for reading it, for its identity and for the recipe that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_sources import jsonl, parquet, said

from evolve.recipe.fingerprint import source_digests
from evolve.sources import location
from evolve.sources.location import absolute, locate
from evolve.sources.prompts import load_prompts
from prompts.errors import UserError


def test_a_home_is_the_same_for_reading_and_for_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = jsonl(tmp_path / "x.jsonl", [{"prompt": "one"}])
    assert said(load_prompts("~/x.jsonl")) == ["one"]
    assert absolute("~/x.jsonl") == path
    before = source_digests("~/x.jsonl")
    assert before == source_digests(path) != []
    jsonl(tmp_path / "x.jsonl", [{"prompt": "another"}])
    assert source_digests("~/x.jsonl") != before


def test_identity_is_of_the_files_that_are_read(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", ["one"])
    before = source_digests(str(tmp_path), "train")
    parquet(tmp_path / "test.parquet", ["held out"])
    (tmp_path / "notes.txt").write_text("of mine")
    assert source_digests(str(tmp_path), "train") == before != []
    parquet(tmp_path / "train2.parquet", ["two"])
    assert source_digests(str(tmp_path), "train")[:1] == before
    assert len(source_digests(str(tmp_path), "train")) == 2


def test_identity_is_of_what_a_file_is_read_as(tmp_path: Path) -> None:
    """Lines of JSON under the name of a text are prompts as they stand; renamed, they are other prompts."""
    path = jsonl(tmp_path / "x.txt", [{"prompt": "one"}])
    before = source_digests(path)
    assert source_digests(str(Path(path).rename(tmp_path / "x.jsonl"))) != before
    assert source_digests(str((tmp_path / "x.jsonl").rename(tmp_path / "y.ndjson"))) != before


@pytest.mark.parametrize(
    "source", ["absent.jsonl", "/", "a\0b", "~nosuchuser/x.jsonl", "owner/name", "x" * 300, "text"]
)
def test_what_is_not_here_has_no_digest(source: str) -> None:
    assert source_digests(source) == []


def test_paths_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert absolute("gone.jsonl") == str(tmp_path / "gone.jsonl")
    assert absolute("./gone") == str(tmp_path / "gone")
    assert absolute("owner/name") == str(tmp_path / "owner" / "name")
    for name in (
        "owner/other",
        "squad",
        "owner/other:german@main",
        "",
        "a\0b",
        "https://example.org/x.jsonl",
        "~nouser/x",
    ):
        assert absolute(name) == name


def test_a_folder_with_too_much_below_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "_MANY", 20)
    for n in range(21):
        (tmp_path / f"{n}.log").touch()
    with pytest.raises(UserError, match="more than 20 files below it"):
        locate(str(tmp_path))
