"""What stands on what: rows become durable in order, and whatever part is lost, the next run makes a whole again."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evolve.pool.pool import Pool
from evolve.pool.table import write_part
from evolve.recipe.sections import Recipe
from evolve.reports.status import describe
from fake_runs import NO_CALLS, balanced, fake_recipe, make, prompt, write_source
from prompts.errors import UserError

ALGORITHMS = ("evolve-then-select", "select-then-evolve")


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 25)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(10)])


def in_life(source: Path, life: int, algorithm: str = "evolve-then-select") -> Recipe:
    """The same recipe with an engine that samples other tokens: rows of both lives are the same sampler's."""
    return fake_recipe(source, algorithm=algorithm, policy__engine={"life": life}, selection__k="40%")


def parts(run: Path) -> list[Path]:
    return sorted((run / "pool").rglob("*.parquet"))


def test_no_response_is_durable_before_its_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever buffer is full: all are written, prompts first. After a write that fails none of the later is done."""
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 3)
    written: list[str] = []
    monkeypatch.setattr("evolve.pool.table.write_part", lambda folder, *_: written.append(folder.parent.name))
    pool = Pool(tmp_path)
    with pool.growing("s"):
        pool.responses("s").append([{"id": "a", "prompt_id": "p"}])
        pool.prompts.append([{"key": "k", "id": "p"}])
        pool.responses("s").append([{"id": "b", "prompt_id": "p"}, {"id": "c", "prompt_id": "p"}])
        pool.flush()
        assert written == [tmp_path.name, "responses"]

        def fail(folder: Path, *_: Any) -> None:
            written.append(f"failed {folder.name}")
            raise UserError("the disk is full")

        monkeypatch.setattr("evolve.pool.table.write_part", fail)
        pool.prompts.append([{"key": "l", "id": "q"}])
        pool.responses("s").append([{"id": "d", "prompt_id": "q"}])
        with pytest.raises(UserError, match="the disk is full"):
            pool.flush()
        assert written[2:] == ["failed prompts"]
        with pytest.raises(UserError, match="the disk is full"):
            pool.flush_if_due() or pool.prompts.append([{"key": str(i)} for i in range(9)]) or pool.flush()


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_prompts_and_rewards_lost_and_an_engine_that_has_changed(
    algorithm: str, source: Path, tmp_path: Path
) -> None:
    made = make(in_life(source, 0, algorithm), tmp_path / "run")
    for table in ("prompts", "rewards/*"):
        sorted((tmp_path / "run" / "pool").glob(f"{table}/*.parquet"))[-1].unlink()
    again = make(in_life(source, 1, algorithm), tmp_path / "run")
    assert balanced(again.manifest)["prompts"] == balanced(made.manifest)["prompts"]
    assert "responses whose prompt was lost: not read" in describe(tmp_path / "run")
    assert make(in_life(source, 1, algorithm), tmp_path / "run").calls == NO_CALLS


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_set_of_parts_may_be_lost(algorithm: str, source: Path, tmp_path: Path) -> None:
    """With the engine as it was the dataset comes out as it was; with another it is whole and its books balance."""
    made = make(in_life(source, 0, algorithm), tmp_path / "run")
    before = (made.folder / "train.parquet").read_bytes()
    rng = random.Random(7)
    for i in range(12):
        run = tmp_path / f"copy-{i}"
        shutil.copytree(tmp_path / "run", run)
        for path in rng.sample(parts(run), rng.randrange(1, len(parts(run)))):
            path.unlink()
        again = make(in_life(source, i % 2, algorithm), run)
        if i % 2 == 0:
            assert (again.folder / "train.parquet").read_bytes() == before
        balanced(again.manifest)
        assert make(in_life(source, i % 2, algorithm), run).calls == NO_CALLS
        describe(run)


# What is no part.


def _copy_of_a_part(run: Path) -> None:
    part = parts(run)[0]
    shutil.copy(part, part.with_name(f"copy-of-{part.name}"))


def _under_another_number(run: Path) -> None:
    for part in parts(run):
        shutil.copy(part, part.with_name(f"0000{9000 + int(part.name[:8])}{part.name[8:]}"))


def _folders_and_links(run: Path) -> None:
    for folder in (run / "pool" / "prompts", *(run / "pool" / "responses").iterdir()):
        (folder / "00000050-0123456789abcdef.parquet").mkdir()
        (folder / "00000051-0123456789abcdef.parquet").symlink_to("nowhere")
        (folder / "notes.txt").write_text("mine")
    (run / "pool" / "rewards" / "My Rewards").mkdir()
    (run / "pool" / "settings" / "notes.json").write_text("[]")


@pytest.mark.parametrize("litter", [_copy_of_a_part, _under_another_number, _folders_and_links])
def test_files_that_are_no_parts_are_named_and_ignored(
    litter: Callable[[Path], None], source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = make(in_life(source, 0), tmp_path / "run")
    before = (made.folder / "train.parquet").read_bytes()
    litter(tmp_path / "run")
    again = make(in_life(source, 0), tmp_path / "run")
    assert again.calls == NO_CALLS
    assert (again.folder / "train.parquet").read_bytes() == before
    assert "ignored" in caplog.text
    describe(tmp_path / "run")


def test_a_part_of_another_table_is_no_part_of_this(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = make(in_life(source, 0), tmp_path / "run")
    before = (made.folder / "train.parquet").read_bytes()
    (reward,) = (tmp_path / "run" / "pool").glob("rewards/*/*.parquet")
    shutil.copy(reward, tmp_path / "run" / "pool" / "prompts" / reward.name.replace("00000000", "00000078"))
    again = make(in_life(source, 0), tmp_path / "run")
    assert again.calls == NO_CALLS
    assert (again.folder / "train.parquet").read_bytes() == before
    assert "a part of another table: ignored" in caplog.text


# JSON files.


def _told(source: Path, run: Path) -> str:
    """What a view says of a run; where it is content, what it would say."""
    try:
        make(in_life(source, 0), run, view_only=True)
    except UserError as error:
        return str(error)
    return "evolve run"


def test_a_flipped_bit_in_any_json_file_ends_in_a_message_or_is_mended(source: Path, tmp_path: Path) -> None:
    made = make(in_life(source, 0), tmp_path / "run")
    before = (made.folder / "train.parquet").read_bytes()
    files = list((tmp_path / "run").rglob("*.json"))
    assert {path.name.split("-")[0] for path in files} >= {"recipe.json", "manifest.json", "x", "sampler", "reward"}
    rng = random.Random(3)
    for path in files:
        whole = path.read_bytes()
        for _ in range(6):
            at = rng.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(7))]) + whole[at + 1 :])
            assert "evolve run" in _told(source, tmp_path / "run")
            describe(tmp_path / "run")
            again = make(in_life(source, 0), tmp_path / "run")
            assert again.calls == NO_CALLS
            assert (again.folder / "train.parquet").read_bytes() == before


def test_a_manifest_is_plain_json_with_its_digest(source: Path, tmp_path: Path) -> None:
    made = make(in_life(source, 0), tmp_path / "run")
    manifest = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["digest"]) == 16
    assert manifest["rows"]["train"]["kept"] == len(pq.read_table(made.folder / "train.parquet"))


# The folder itself.


def test_a_run_that_is_removed_while_it_grows_is_told_and_not_made_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(*arguments: Any, **options: Any) -> None:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        write_part(*arguments, **options)

    make(in_life(source, 0), tmp_path / "run")
    monkeypatch.setattr("evolve.pool.table.write_part", removed)
    with pytest.raises(UserError, match="its folder is gone"):
        make(fake_recipe(source, sampling__seed=3), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_the_dataset_that_was_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(in_life(source, 0), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in made.folder.iterdir()}

    def full(path: Path, data: bytes) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr("evolve.datasets.folder.write_file", full)
    with pytest.raises(UserError, match="the disk is full"):
        make(in_life(source, 0), tmp_path / "run")
    assert {path.name: path.read_bytes() for path in made.folder.iterdir()} == before
