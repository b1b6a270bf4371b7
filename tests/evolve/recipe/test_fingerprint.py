"""What a model is: the files that decide what it computes, wherever they lie and whatever else lies beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evolve.recipe.fingerprint import file_digest, fingerprint, hub_commit
from tiny_models import armorm


def test_a_folder_called_like_the_hubs_cache_is_its_content(tmp_path: Path) -> None:
    one = armorm(tmp_path / "snapshots" / "final")
    before = fingerprint(str(one))
    shutil.rmtree(one)
    assert fingerprint(str(armorm(tmp_path / "snapshots" / "final", seed=1))) != before
    commit = "0123456789" * 4
    for folder in (tmp_path / "snapshots" / commit, tmp_path / "models--a--b" / "snapshots" / "main"):
        folder.mkdir(parents=True)
        assert hub_commit(folder) == ""
    cached = tmp_path / "models--a--b" / "snapshots" / commit
    cached.mkdir()
    assert hub_commit(cached) == commit


@pytest.mark.parametrize("name", ["trainer_state.json", "optimizer.safetensors", "training_args.json", "README.md"])
def test_what_a_trainer_leaves_beside_a_model_makes_no_other_model(name: str, tmp_path: Path) -> None:
    folder = armorm(tmp_path / "a")
    before = fingerprint(str(folder))
    (folder / name).write_text("{}")
    assert fingerprint(str(folder)) == before


@pytest.mark.parametrize("name", ["generation_config.json", "chat_template.jinja", "added_tokens.json", "merges.txt"])
def test_a_file_that_decides_makes_another_model(name: str, tmp_path: Path) -> None:
    folder = armorm(tmp_path / "a")
    before = fingerprint(str(folder))
    (folder / name).write_text("{}")
    assert fingerprint(str(folder)) != before


@pytest.mark.parametrize("memory", ["read-only", "a file", "nonsense", "a list", "no home"])
def test_where_digests_can_not_be_remembered_they_are_taken_again(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file of a megabyte and more, which is what is remembered."""
    large = tmp_path / "model.safetensors"
    large.write_bytes(b"x" * (1 << 20))
    expected = file_digest(large)
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    if memory == "a file":
        home.write_text("no folder")
    elif memory == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    elif memory == "read-only":
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    else:
        (home / "evolve-select").mkdir(parents=True)
        (home / "evolve-select" / "fingerprints.json").write_text("{" if memory == "nonsense" else "[1]")
    assert file_digest(large) == file_digest(large) == expected
