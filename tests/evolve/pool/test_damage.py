"""Damaged files, a full disk, a limit on the size of files: named, and only what is lost is made again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evolve.pool.table import DamagedPart
from evolve.reports.status import describe
from fake_runs import NO_CALLS, fake_recipe, made_so_far, make, pool_rows, prompt, write_source
from killed_runs import N_PROMPTS, calls, dataset, finished, written
from places import ROOT


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(N_PROMPTS)])


def _damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]
    path.write_bytes({"truncated": data[:middle], "bit flipped": flipped, "emptied": b""}[how])


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 30)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("table", "number", "how", "stage"),
    [
        ("prompts", 0, "truncated", None),  # X
        ("prompts", -1, "bit flipped", "rewrite"),
        ("responses/*", 0, "emptied", "sample"),
        ("responses/*", 3, "bit flipped", "sample"),
        ("rewards/*", 1, "truncated", "reward"),
    ],
)
def test_a_damaged_part_is_named_and_only_its_rows_are_made_again(
    source: Path, tmp_path: Path, table: str, number: int, how: str, stage: str | None
) -> None:
    recipe = fake_recipe(source)
    made = make(recipe, tmp_path / "run")
    whole, files = pool_rows(tmp_path / "run"), dataset(tmp_path / "run")
    path = sorted((tmp_path / "run" / "pool").glob(f"{table}/*.parquet"))[number]
    lost = pq.read_table(path).num_rows
    _damaged(path, how)

    with pytest.raises(DamagedPart, match=f"{path.name} is damaged.*`evolve run`"):
        make(fake_recipe(source, selection__metric="eva"), tmp_path / "run", view_only=True)
    assert path.exists()
    again = make(recipe, tmp_path / "run")
    assert again.calls == (NO_CALLS | {stage: lost} if stage else NO_CALLS)
    assert dataset(tmp_path / "run") == files
    assert pool_rows(tmp_path / "run") == whole
    assert path.with_suffix(".damaged").name in describe(tmp_path / "run")
    assert again.manifest["rows"] == made.manifest["rows"]
    assert make(recipe, tmp_path / "run").calls == NO_CALLS


@pytest.mark.usefixtures("in_parts")
def test_damage_in_every_table_at_once(source: Path, tmp_path: Path) -> None:
    make(fake_recipe(source), tmp_path / "run")
    whole, files = pool_rows(tmp_path / "run"), dataset(tmp_path / "run")
    for path in sorted((tmp_path / "run" / "pool").rglob("*.parquet"))[::2]:
        _damaged(path, "truncated")
    for path in (tmp_path / "run" / "pool" / "settings").iterdir():
        _damaged(path, "truncated")
    make(fake_recipe(source), tmp_path / "run")
    assert pool_rows(tmp_path / "run") == whole
    assert dataset(tmp_path / "run") == files


def test_a_limit_on_the_size_of_files_ends_with_a_message_and_the_rest_is_kept(source: Path, tmp_path: Path) -> None:
    """Parts of nine rows fit under the limit, the train set does not."""
    config = written(fake_recipe(source), tmp_path / "fake.toml")
    code, log = finished(config, tmp_path / "run", limit=10_000)
    assert code == 2, log
    assert "train.parquet: it would be larger than this system allows. Everything written before is intact." in log
    assert "Traceback" not in log
    assert not list(tmp_path.rglob("train.parquet"))
    assert finished(config, tmp_path / "run")[0] == 0
    assert calls(tmp_path / "run") == NO_CALLS
    assert finished(config, tmp_path / "whole")[0] == 0
    assert dataset(tmp_path / "run") == dataset(tmp_path / "whole")


def test_a_disk_that_is_full_ends_with_a_message_and_the_rest_is_kept(source: Path, tmp_path: Path) -> None:
    """A file system of 96 KiB of its own, in a namespace of its own, copied out before it goes."""
    (tmp_path / "small").mkdir()
    mount = "mount -t tmpfs -o size=96k none small"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("this system lets no user mount a file system of their own")
    config = written(fake_recipe(source), tmp_path / "fake.toml")
    code = (
        "import evolve.pool.table, evolve.cli.program; evolve.pool.table.ROWS_PER_PART = 9; "
        f"import sys; sys.argv = ['evolve', 'run', {str(config)!r}, '--run', 'small/run']; evolve.cli.program.main()"
    )
    script = f'{mount} && "$1" -c "$2"; code=$?; cp -r small/run kept; exit $code'
    full = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )
    assert full.returncode == 2, full.stderr
    assert "the disk is full. Everything written before is intact. Free some space" in full.stderr
    assert "Traceback" not in full.stderr
    kept = made_so_far(tmp_path / "kept")
    assert kept["rewrite"] + kept["sample"] > 0
    made = make(fake_recipe(source, policy__engine={"delay": 0.0}), tmp_path / "kept")
    whole = make(fake_recipe(source, policy__engine={"delay": 0.0}), tmp_path / "whole")
    assert made.calls == {name: whole.calls[name] - kept[name] for name in kept}
    assert dataset(tmp_path / "kept") == dataset(tmp_path / "whole")
