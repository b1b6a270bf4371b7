"""What a rewrite keeps of its parent is a stored measure, and `evolve.min_content` a bound that needs no policy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolve.pool.pool import Pool
from evolve.pool.table import digest_of
from evolve.recipe.sections import MIN_CONTENT
from evolve.views.verdicts import accepted, present_verdict
from fake_runs import NO_CALLS, balanced, fake_recipe, make, prompt, write_source

ROW = {"verdict": "kept", "reward_limit": None, "content_kept": 0.5}


def test_the_measure_is_held_against_the_bound() -> None:
    assert present_verdict(ROW, None, 0.5) == "kept"
    assert present_verdict(ROW, None, 0.51) == "lost_content"
    assert present_verdict(ROW | {"verdict": "cut_off"}, None, 0.51) == "cut_off"
    assert present_verdict(ROW | {"content_kept": None}, None, 1.0) == "kept"
    assert accepted(ROW | {"verdict": "too_long_for_reward", "reward_limit": 10}, 20, 0.5)
    assert not accepted(ROW | {"verdict": "too_long_for_reward", "reward_limit": 10}, 20, 0.51)
    assert not accepted(ROW | {"verdict": "too_long_for_reward", "reward_limit": 10}, 10, 0.0)


def test_the_default_is_for_policies_that_write(tmp_path: Path) -> None:
    recipe = fake_recipe(tmp_path / "x.jsonl")
    assert recipe.min_content == 0
    assert recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"model": "p"})}).min_content == (
        MIN_CONTENT
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])


def test_a_changed_bound_needs_no_new_rewrite(source: Path, tmp_path: Path) -> None:
    """The fake policy writes words that some prompts have too, so measures differ; breadth has none."""
    loose = make(fake_recipe(source), tmp_path / "run")
    strict = make(fake_recipe(source, evolve__min_content=0.15), tmp_path / "run")
    lost = balanced(strict.manifest)["evol_instruct"]["dropped"]["lost_content"]
    assert 0 < lost < 4 * 12
    assert strict.calls == NO_CALLS
    assert strict.folder != loose.folder
    n_loose, n_strict = (one.manifest["rows"]["evol_instruct"]["kept"] for one in (loose, strict))
    assert n_loose == n_strict + lost
    again = make(fake_recipe(source), tmp_path / "run")
    assert again.calls == NO_CALLS
    assert again.manifest["rows"] == loose.manifest["rows"]


def test_a_lower_bound_samples_what_was_lost(source: Path, tmp_path: Path) -> None:
    strict = make(fake_recipe(source, evolve__min_content=1), tmp_path / "run")
    assert set(Counter(strict.train["strategy"].to_pylist())) <= {"", None, "breadth"}
    lower = make(fake_recipe(source), tmp_path / "run")
    assert lower.calls["rewrite"] == 0
    assert lower.calls["sample"] > 0
    whole = make(fake_recipe(source), tmp_path / "other")
    assert lower.manifest["rows"] == whole.manifest["rows"]
    assert sorted(lower.train["prompt_id"].to_pylist()) == sorted(whole.train["prompt_id"].to_pylist())


def test_parts_without_the_measure_pass(source: Path, tmp_path: Path) -> None:
    made = make(fake_recipe(source), tmp_path / "run")
    for part in (tmp_path / "run" / "pool" / "prompts").glob("*.parquet"):
        sink = pa.BufferOutputStream()
        pq.write_table(pq.read_table(part).drop(["content_kept"]), sink)
        data = sink.getvalue().to_pybytes()
        part.unlink()
        (part.parent / f"{part.name.split('-')[0]}-{digest_of(data)}.parquet").write_bytes(data)
    old = make(fake_recipe(source, evolve__min_content=1), tmp_path / "run")
    assert old.calls == NO_CALLS
    assert old.manifest["rows"] == made.manifest["rows"]
    pool = Pool(tmp_path / "run" / "pool")
    assert {row["content_kept"] for part in pool.prompts.scan(["content_kept"]) for row in part.to_pylist()} == {None}
    pool.close()
