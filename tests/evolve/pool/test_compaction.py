"""Small parts are merged: the same rows in the same order, whatever moment it is killed at, beside readers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evolve.pool.compaction import compact
from evolve.pool.lookup import Lookup
from evolve.pool.parts import listing
from evolve.pool.pool import Pool
from fake_runs import NO_CALLS, fake_recipe, make, pool_rows, prompt, write_source


def _rows(pool: Pool) -> list[tuple[str, str]]:
    table = pool.responses("s")
    return [(row["id"], row["text"]) for part in table.scan(["id", "text"]) for row in part.to_pylist()]


def _grown(folder: Path, n_parts: int, rows: int = 3) -> Pool:
    pool = Pool(folder)
    with pool.growing("s"):
        for part in range(n_parts):
            pool.responses("s").append(
                {"id": f"{part * rows + i:024x}", "prompt_id": "p", "text": f"{part} {i}"} for i in range(rows)
            )
            pool.flush()
    return pool


def test_few_parts_stay_as_they_are(tmp_path: Path) -> None:
    pool = _grown(tmp_path, 20)
    assert len(pool.responses("s").parts()) == 20


def test_many_small_parts_are_merged_at_the_end_and_go_at_the_next_beginning(tmp_path: Path) -> None:
    pool = _grown(tmp_path, 100)
    assert _rows(pool) == [(f"{n:024x}", f"{n // 3} {n % 3}") for n in range(300)]
    found = listing(tmp_path / "responses" / "s")
    assert (len(found.parts), len(found.covered), found.strays) == (1, 100, [])
    again = Pool(tmp_path)
    with again.growing("s"):
        assert len(listing(tmp_path / "responses" / "s").covered) == 0
        again.responses("s").append([{"id": f"{300:024x}", "prompt_id": "p", "text": "new"}])
    assert _rows(again) == [*_rows(pool)[:300], (f"{300:024x}", "new")]
    assert [part.first for part in again.responses("s").parts()] == [0, 100]


def test_who_listed_the_parts_before_reads_on(tmp_path: Path) -> None:
    pool = _grown(tmp_path, 40)
    table = pool.responses("s")
    scan, lookup = table.scan(["id"]), Lookup(table, "id")
    first = next(scan).num_rows
    with Pool(tmp_path).growing("s"):
        pass
    _grown(tmp_path, 60)
    assert first + sum(part.num_rows for part in scan) == 120
    assert lookup.fetch([f"{7:024x}"], ["text"])["text"].to_pylist() == ["2 1"]


@pytest.mark.parametrize("left", ["all", "some", "none"])
def test_killed_while_the_merged_ones_go_no_row_counts_twice(left: str, tmp_path: Path) -> None:
    pool = _grown(tmp_path, 80)
    rows = _rows(pool)
    covered = listing(tmp_path / "responses" / "s").covered
    for part in covered[: {"all": 0, "some": 33, "none": 80}[left]]:
        part.path.unlink()
    assert _rows(Pool(tmp_path)) == rows


def test_a_merged_part_that_is_damaged_gives_way_to_what_it_was_made_of(tmp_path: Path) -> None:
    pool = _grown(tmp_path, 80)
    rows = _rows(pool)
    (merged,) = pool.responses("s").parts()
    merged.path.rename(merged.path.with_suffix(".damaged"))
    assert _rows(Pool(tmp_path)) == rows


def test_a_run_in_many_parts_selects_the_same_as_in_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(40)])
    few = make(fake_recipe(source), tmp_path / "few")
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 4)
    many = make(fake_recipe(source), tmp_path / "many")
    assert (many.folder / "train.parquet").read_bytes() == (few.folder / "train.parquet").read_bytes()
    assert pool_rows(tmp_path / "many") == pool_rows(tmp_path / "few")
    assert any("+" in path.name for path in (tmp_path / "many").rglob("*.parquet"))
    assert make(fake_recipe(source), tmp_path / "many").calls == NO_CALLS


def test_merged_parts_are_merged_no_further_than_they_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolve.pool.compaction.ROWS_MERGED", 60)
    pool = _grown(tmp_path, 100)
    counts = [pool.responses("s").count(part) for part in pool.responses("s").parts()]
    assert sum(counts) == 300
    assert max(counts) <= 60
    with pool.growing("s"):
        assert compact(pool.responses("s")) == 0
    shutil.rmtree(tmp_path)
