"""`evolve push`: a dataset goes to the Hub, private, in one commit, and what lies there already is respected."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import main
from fake_hub import FakeHub, be_the_hub, fake_hub
from fake_hub_answers import OWNER, READ_ONLY, TOKEN
from fake_runs import Made

REPO = f"{OWNER}/pairs"
FILES = {"README.md", "manifest.json", "train.parquet", "selected.parquet"}
Evolve = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The Hub of this process, with a token in the environment that may write."""
    with fake_hub() as server:
        be_the_hub(server, monkeypatch, tmp_path / "login")
        yield server


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evolve:
    """The command in this process: exit code, stdout, stderr. The token is in neither."""

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        assert READ_ONLY not in out + err
        return int(stop.value.code or 0), out, err

    return call


def commits(hub: FakeHub, repo: str = REPO) -> int:
    """How many commits the repository has beside its first one."""
    return len(hub.repositories[repo].commits) - 1 if repo in hub.repositories else 0


def refused(told: tuple[int, str, str]) -> str:
    """The message of a command that has ended with a user's error, in a line."""
    code, out, err = told
    assert (code, out) == (2, ""), err
    lines = [line for line in err.splitlines() if line.startswith("evolve: ")]
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


def test_a_dataset_goes_up_private_in_one_commit(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    code, out, _ = evolve("push", made.run, REPO)
    assert code == 0
    repository = hub.repositories[REPO]
    assert repository.private
    assert commits(hub) == 1
    head = repository.head()
    assert set(head.files) == FILES | {".gitattributes"}
    assert head.large == {"train.parquet", "selected.parquet"}
    assert head.message == "fake, iteration 1: evolve-then-select by map (alpha 2.5)"
    for name in ("train.parquet", "selected.parquet"):
        assert head.files[name] == (made.folder / name).read_bytes()
    assert f"{hub.endpoint}/datasets/{REPO} (private, revision main), commit {head.id}" in out
    for name in FILES:
        assert hashlib.sha256(head.files[name]).hexdigest() in out


def test_load_dataset_finds_configurations_and_splits_of_what_was_pushed(
    hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path
) -> None:
    import datasets

    assert evolve("push", made.run, REPO)[0] == 0
    folder = str(hub.write(REPO, tmp_path / "clone"))
    assert datasets.get_dataset_config_names(folder) == ["default", "selected"]
    for config, there in (("default", made.train), ("selected", made.selected)):
        found = datasets.load_dataset(folder, config, cache_dir=str(tmp_path / "cache"))
        assert list(found) == ["train"]
        assert found["train"].to_list() == there.to_pylist()
        assert there.num_rows
    card = Path(folder, "README.md").read_text(encoding="utf-8")
    assert f'load_dataset("{REPO}", split="train")' in card


def test_a_configuration_without_rows_is_not_pushed(hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path) -> None:
    """`datasets` fails on a parquet file without rows."""
    import datasets
    import pyarrow.parquet as pq

    whole = (made.folder / "selected.parquet").read_bytes()
    try:
        pq.ParquetWriter(made.folder / "selected.parquet", made.train.schema).close()
        assert evolve("push", made.run, REPO)[0] == 0
    finally:
        (made.folder / "selected.parquet").write_bytes(whole)
    folder = str(hub.write(REPO, tmp_path / "clone"))
    assert set(hub.repositories[REPO].head().files) == FILES - {"selected.parquet"} | {".gitattributes"}
    assert datasets.get_dataset_config_names(folder) == ["default"]
    found = datasets.load_dataset(folder, split="train", cache_dir=str(tmp_path / "cache"))
    assert found.to_list() == made.train.to_pylist()
    assert '"selected"' not in Path(folder, "README.md").read_text(encoding="utf-8")


def test_a_run_s_own_folder_loads_in_the_same_way(made: Made, tmp_path: Path) -> None:
    import datasets

    for config, there in (("default", made.train), ("selected", made.selected)):
        found = datasets.load_dataset(str(made.folder), config, split="train", cache_dir=str(tmp_path / "cache"))
        assert found.to_list() == there.to_pylist()


def test_pushing_again_uploads_nothing_and_says_so(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    evolve("push", made.run, REPO)
    assert evolve("select", made.run)[0] == 0  # writes the dataset anew: other timings, the same rows
    hub.requests.clear()
    code, out, _ = evolve("push", made.run, REPO)
    assert code == 0
    assert out.startswith("Nothing has changed since the last push.")
    assert hub.repositories[REPO].head().id in out
    assert commits(hub) == 1
    assert [request for request in hub.requests if not request.startswith(("GET", "HEAD"))] == []


def test_a_dry_run_shows_every_file_and_asks_nobody(
    hub: FakeHub, evolve: Evolve, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    code, out, _ = evolve("push", made.run, REPO, "--dry-run", "--revision", "eva", "--message", "the first")
    assert code == 0
    assert hub.requests == []
    assert f"{hub.endpoint}/datasets/{REPO} (private, revision eva)" in out
    assert "4 files" in out
    assert "in one commit: the first" in out
    shown = {line.split()[0]: line.split() for line in out.splitlines() if "sha256" in line}
    assert set(shown) == FILES
    for name in ("train.parquet", "selected.parquet"):
        data = (made.folder / name).read_bytes()
        assert shown[name] == [name, f"{len(data):,}", "bytes", "sha256", hashlib.sha256(data).hexdigest()]
    # What was shown is what goes up.
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    evolve("push", made.run, REPO, "--revision", "eva", "--message", "the first")
    head = hub.repositories[REPO].head("eva")
    assert head.message == "the first"
    assert {name: shown[name][-1] for name in FILES} == {
        name: hashlib.sha256(head.files[name]).hexdigest() for name in FILES
    }


def test_a_branch_is_made_and_main_stays(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    evolve("push", made.run, REPO)
    main_head = hub.repositories[REPO].head()
    evolve("select", made.run, "--metric", "eva")
    assert evolve("push", made.run, REPO, "--metric", "eva", "--revision", "eva")[0] == 0
    assert hub.repositories[REPO].head() == main_head
    eva = hub.repositories[REPO].head("eva")
    assert json.loads(eva.files["manifest.json"])["ranking"]["metric"] == "eva"
    assert f'load_dataset("{REPO}", split="train", revision="eva")' in eva.files["README.md"].decode()
    assert evolve("push", made.run, REPO, "--metric", "eva", "--revision", "eva")[1].startswith("Nothing has changed")


def test_other_data_is_not_pushed_over(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    repository = hub.make(REPO, README__md=b"# Mine", data__csv=b"a,b\n")
    before = repository.head()
    told = refused(evolve("push", made.run, REPO))
    assert "holds other data (README.md, data.csv)" in told
    assert "--force" in told
    assert repository.head() == before
    code, out, _ = evolve("push", made.run, REPO, "--force")
    assert code == 0
    assert "Left as they were: data.csv" in out
    assert repository.head().files["data.csv"] == b"a,b\n"
    assert set(repository.head().files) == FILES | {".gitattributes", "data.csv"}

    evolve("select", made.run, "--metric", "eva")
    told = refused(evolve("push", made.run, REPO, "--metric", "eva"))
    assert "another dataset (fake, iteration 1: evolve-then-select by map (alpha 2.5))" in told
    assert commits(hub) == 1


def test_what_was_edited_on_the_hub_is_not_lost(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    evolve("push", made.run, REPO)
    repository = hub.repositories[REPO]
    pushed = repository.head()
    own = pushed.files | {"README.md": pushed.files["README.md"] + b"\nLicence: CC0\n", "LICENSE": b"CC0"}
    repository.add("main", own, pushed.large, "by hand")
    code, out, _ = evolve("push", made.run, REPO)
    assert code == 0
    assert "README.md was edited on the Hub and stays" in out
    assert repository.head().files == own
    changed = own | {"selected.parquet": b"PAR1"}
    repository.add("main", changed, pushed.large, "by hand again")
    assert "selected.parquet" in (told := refused(evolve("push", made.run, REPO)))
    assert "was changed there since it was pushed" in told
    assert repository.head().files == changed
    assert evolve("push", made.run, REPO, "--force")[0] == 0
    assert repository.head().files == pushed.files | {"LICENSE": b"CC0"}


def test_a_public_repository_is_filled_only_where_that_is_meant(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    hub.make(REPO, private=False)
    assert "is public: everybody could read" in refused(evolve("push", made.run, REPO))
    assert commits(hub) == 0
    code, out, _ = evolve("push", made.run, REPO, "--public")
    assert code == 0
    assert "(public, revision main)" in out
    assert evolve("push", made.run, f"{OWNER}/open", "--public")[0] == 0
    assert not hub.repositories[f"{OWNER}/open"].private
    hub.make(f"{OWNER}/closed")
    assert "was private before and stays so" in evolve("push", made.run, f"{OWNER}/closed", "--public")[1]


def test_names_that_are_none_are_told(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    bad = ["pairs", "a/b/c", "/pairs", "some one/pairs", "a--b/c", "é/ü", "", f"{OWNER}/x.git", f"{OWNER}/{'x' * 200}"]
    for name in [*bad, "https://x:secretsecret@example.org/datasets/a/b"]:
        told = refused(evolve("push", made.run, name))
        assert "Expected OWNER/NAME" in told
        assert "secretsecret" not in told
    for branch in ("", "a..b", "-x", "a b", "0" * 40, "x/", "x.lock"):
        assert "is no branch" in refused(evolve("push", made.run, REPO, f"--revision={branch}"))
    for message in ("", f"with {TOKEN}"):
        assert "--message is empty or holds a secret" in refused(evolve("push", made.run, REPO, "--message", message))
    assert "No dataset of this recipe" in refused(evolve("push", made.run, REPO, "--metric", "implicit"))
    assert hub.requests == []


def test_a_damaged_dataset_is_not_pushed(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    for name in ("train.parquet", "selected.parquet"):
        whole = (made.folder / name).read_bytes()
        try:
            (made.folder / name).write_bytes(whole[:-20])
            assert "is damaged" in refused(evolve("push", made.run, REPO))
        finally:
            (made.folder / name).write_bytes(whole)
    selected, train = (made.folder / "selected.parquet").read_bytes(), (made.folder / "train.parquet").read_bytes()
    try:
        (made.folder / "train.parquet").write_bytes(selected)  # whole, but of another set
        assert "its manifest does not fit its rows" in refused(evolve("push", made.run, REPO))
    finally:
        (made.folder / "train.parquet").write_bytes(train)
    assert hub.requests == []
