"""`evolve push --test`: splits train and test in both configurations, families apart, the same bytes each time."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import main
from fake_hub import FakeHub, be_the_hub, fake_hub
from fake_hub_answers import OWNER
from fake_runs import Made, fake_recipe, make, prompt, write_source

REPO = f"{OWNER}/pairs"
FILES = {"README.md", "manifest.json", ".gitattributes"}
WHOLE = {"train.parquet", "selected.parquet"}
SIDES = WHOLE | {"test.parquet", "selected-test.parquet"}
Evolve = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    source = write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(60)])
    return make(fake_recipe(source, selection__k="60%"), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub() as server:
        be_the_hub(server, monkeypatch, tmp_path / "login")
        yield server


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evolve:
    """The command in this process: exit code, stdout, stderr."""

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def loaded(folder: Path, cache: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What `load_dataset` finds in a folder: rows by configuration and split."""
    import datasets

    configs = datasets.get_dataset_config_names(str(folder))
    found = {config: datasets.load_dataset(str(folder), config, cache_dir=str(cache)) for config in configs}
    return {config: {split: rows.to_list() for split, rows in of.items()} for config, of in found.items()}


def test_both_configurations_have_both_splits_and_every_pair_once(
    hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path
) -> None:
    code, out, _ = evolve("push", made.run, REPO, "--test", "20%")
    assert code == 0
    assert set(hub.repositories[REPO].head().files) == FILES | SIDES
    found = loaded(hub.write(REPO, tmp_path / "clone"), tmp_path / "cache")
    assert {config: set(of) for config, of in found.items()} == {
        "default": {"train", "test"},
        "selected": {"train", "test"},
    }
    family_sides = defaultdict(set)
    for config, whole in (("default", made.train), ("selected", made.selected)):
        rows, of = whole.to_pylist(), found[config]
        assert sorted(one["pair_id"] for side in of.values() for one in side) == sorted(one["pair_id"] for one in rows)
        for split, side in of.items():
            ids = {one["pair_id"] for one in side}
            assert side == [one for one in rows if one["pair_id"] in ids]  # whole rows, in their order
            for one in side:
                family_sides[one["parent_id"] or one["prompt_id"]].add(split)
        assert f"{config}: {len(of['train'])} pairs in train, {len(of['test'])} pairs in test" in out
    assert any(one["parent_id"] for one in found["default"]["test"])
    assert all(len(sides) == 1 for sides in family_sides.values())
    assert 0.1 < len(found["default"]["test"]) / len(made.train) < 0.3


def test_card_and_manifest_name_both_splits(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    evolve("push", made.run, REPO, "--test", "20%")
    files = hub.repositories[REPO].head().files
    card, manifest = files["README.md"].decode(), json.loads(files["manifest.json"])
    assert "data_files: [{split: train, path: train.parquet}, {split: test, path: test.parquet}]" in card
    assert "[{split: train, path: selected.parquet}, {split: test, path: selected-test.parquet}]" in card
    assert f'test = load_dataset("{REPO}", split="test")' in card
    assert "About 20% are held out, by families of prompts" in card
    n = manifest["held_out"]["splits"]["default"]["test"]["pairs"]
    assert f"| `default` | `test` | `test.parquet` | {n} |" in card
    assert manifest["held_out"]["test"] == "20%"
    evolve("push", made.run, f"{OWNER}/whole")
    whole = hub.repositories[f"{OWNER}/whole"].head().files
    assert "held_out" not in json.loads(whole["manifest.json"])
    assert "held out" not in whole["README.md"].decode()


def test_the_side_is_that_of_an_export(hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path) -> None:
    evolve("push", made.run, REPO, "--test", "20%")
    evolve("export", made.run, "--to", "trl", "--out", tmp_path / "out", "--test", "20%")
    found = loaded(hub.write(REPO, tmp_path / "clone"), tmp_path / "cache")["default"]
    for split, rows in found.items():
        lines = (tmp_path / "out" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["prompt"] for line in lines] == [one["prompt"] for one in rows]


def test_pushing_again_without_a_change_uploads_nothing(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    evolve("push", made.run, REPO, "--test", "20%")
    head = hub.repositories[REPO].head()
    hub.requests.clear()
    code, out, _ = evolve("push", made.run, REPO, "--test", "20%")
    assert code == 0
    assert out.startswith("Nothing has changed since the last push.")
    assert hub.repositories[REPO].head() == head
    assert [request for request in hub.requests if not request.startswith(("GET", "HEAD"))] == []


def test_a_held_out_set_that_is_asked_for_no_more_goes_in_the_same_commit(
    hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path
) -> None:
    """Its pairs are in the training set again."""
    evolve("push", made.run, REPO, "--test", "20%")
    repository = hub.repositories[REPO]
    pushed = repository.head()
    repository.add("main", pushed.files | {"test.csv": b"a,b\n"}, pushed.large, "by hand")
    code, out, _ = evolve("push", made.run, REPO)
    assert code == 0
    assert set(repository.head().files) == FILES | WHOLE | {"test.csv"}
    assert "test.parquet is gone: it was of an earlier push" in out
    found = loaded(hub.write(REPO, tmp_path / "clone"), tmp_path / "cache")
    assert found["default"] == {"train": made.train.to_pylist()}
    # Another share, over the whole: the files change, nothing is left over.
    assert evolve("push", made.run, REPO, "--test", "40%")[0] == 0
    assert set(repository.head().files) == FILES | SIDES | {"test.csv"}
    edited = repository.head()
    repository.add("main", edited.files | {"test.parquet": b"PAR1"}, edited.large, "by hand")
    assert evolve("push", made.run, REPO)[0] == 0
    assert repository.head().files["test.parquet"] == b"PAR1"  # not ours any more


def test_a_dry_run_shows_both_sides_and_asks_nobody(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    code, out, _ = evolve("push", made.run, REPO, "--test", "20%", "--dry-run")
    assert code == 0
    assert hub.requests == []
    assert {line.split()[0] for line in out.splitlines() if "sha256" in line} == SIDES | {"README.md", "manifest.json"}
    assert "pairs in test" in out


def test_shares_that_are_none_or_leave_a_side_empty_are_refused(hub: FakeHub, evolve: Evolve, made: Made) -> None:
    for share, told in (("5", "is no share"), ("0%", "is no share"), ("", "is no share"), ("0.001%", "one side empty")):
        code, out, err = evolve("push", made.run, REPO, f"--test={share}")
        assert (code, out) == (2, "")
        assert told in err
        assert "Traceback" not in err
    assert hub.requests == []


def test_a_configuration_has_no_split_without_pairs(hub: FakeHub, evolve: Evolve, made: Made, tmp_path: Path) -> None:
    """`datasets` fails on a parquet file without rows."""
    evolve("select", made.run, "--k", "1")
    code, _, err = evolve("push", made.run, REPO, "--k", "1", "--test", "20%")
    assert code == 0, err
    found = loaded(hub.write(REPO, tmp_path / "clone"), tmp_path / "cache")
    assert set(found["default"]) == {"train", "test"}
    (side,) = found["selected"]
    assert len(found["selected"][side]) == 1
    assert f'"selected", split="{side}")' in hub.repositories[REPO].head().files["README.md"].decode()
