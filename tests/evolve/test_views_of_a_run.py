"""A view is a function of the run's folder: which recipe it reads, what it needs, and what it says of rows."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from evolve.api import grow, open_dataset, select
from evolve.exports.export import export
from evolve.recipe import stored
from evolve.run import Run
from evolve.views.pairs import PAIR, Pairs, _finite
from fake_runs import NO_CALLS, Made, balanced, fake_recipe, make, prompt, write_source
from prompts.errors import UserError
from tiny_models import armorm


def train(folder: Path) -> bytes:
    return (folder / "train.parquet").read_bytes()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)])


# Which recipe a command reads.


def test_what_one_run_was_told_of_algorithm_and_selection_is_not_the_next_views_default(
    source: Path, tmp_path: Path
) -> None:
    defaults = fake_recipe(source)
    make(defaults, tmp_path / "run")
    other = fake_recipe(source, algorithm="select-then-evolve", selection__k="50%")
    run = Run(other, tmp_path / "run", defaults=defaults)
    run.execute()
    assert select(tmp_path / "run", {"selection.metric": "eva"}).folder.parts[-2:] == (
        "evolve-then-select",
        "eva-k20pct",
    )


def test_an_iteration_keeps_its_own_recipe(source: Path, tmp_path: Path) -> None:
    first = make(fake_recipe(source), tmp_path / "run")
    before = train(first.folder)
    second = make(fake_recipe(source, sampling__seed=1), tmp_path / "run", iteration=2)
    assert train(second.folder) != before
    assert select(tmp_path / "run", iteration=1).folder == first.folder
    assert train(first.folder) == before
    assert select(tmp_path / "run").folder == second.folder  # the last by default
    with pytest.raises(UserError, match=r"no iteration 3\. There are: 1, 2"):
        select(tmp_path / "run", iteration=3)


def test_other_folders_are_no_iterations(source: Path, tmp_path: Path) -> None:
    make(fake_recipe(source), tmp_path / "run")
    for name in ("iteration-old", "iteration-02", "iteration-0", "iteration-2 (copy)", "iteration-9"):
        (tmp_path / "run" / name).mkdir()
    (tmp_path / "run" / "iteration-old" / "recipe.json").write_text("{}")
    assert stored.iterations(tmp_path / "run") == [1]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"null", b'{"recipe": 3}', b"\xff\xfe"])
def test_a_damaged_record_is_named_and_the_next_run_writes_it_anew(damage: bytes, source: Path, tmp_path: Path) -> None:
    made = make(fake_recipe(source), tmp_path / "run")
    record = tmp_path / "run" / "iteration-1" / "recipe.json"
    whole = record.read_bytes()
    record.write_bytes(damage)
    with pytest.raises(UserError, match=r"iteration-1/recipe\.json is damaged"):
        select(tmp_path / "run")
    assert make(fake_recipe(source), tmp_path / "run").calls == NO_CALLS
    assert record.read_bytes() == whole
    assert select(tmp_path / "run").folder == made.folder


# What a view needs.


def test_a_view_needs_the_runs_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder moved, the sources and models deleted, another working directory."""
    files = tmp_path / "files"
    files.mkdir()
    write_source(files / "x.jsonl", [prompt(i) for i in range(6)])
    armorm(files / "reward")
    (files / "templates").mkdir()
    (files / "templates" / "deepen.txt").write_text("Ask more deeply: {prompt}")
    settings = {"reward__model": str(files / "reward"), "evolve__templates": str(files / "templates")}
    recipe = fake_recipe(files / "x.jsonl", evolve__strategies=["deepen"], **settings)
    made = make(recipe, tmp_path / "run")
    before = train(made.folder)
    (tmp_path / "run").rename(tmp_path / "moved")
    shutil.rmtree(files)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = select(tmp_path / "moved")
    assert train(again.folder) == before
    assert again.manifest["model_calls"] == NO_CALLS
    eva = select(tmp_path / "moved", {"selection.metric": "eva", "sampling.n": 3})
    assert eva.manifest["ranking"]["metric"] == "eva"
    told = export(Run(stored.stored_recipe(tmp_path / "moved", 1, {}), tmp_path / "moved", 1, True), "trl", Path("out"))
    assert f"{len(pq.read_table(again.folder / 'train.parquet'))} pairs" in told
    with pytest.raises(UserError, match="no such folder"):  # another reward model, though, must be there
        select(tmp_path / "moved", {"reward.model": str(files / "other")})


def test_x_is_fixed_for_the_later_iterations_of_a_run(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make(fake_recipe(source), tmp_path / "run")
    write_source(source, [prompt(i) for i in range(20)])
    second = make(fake_recipe(source, sampling__seed=1), tmp_path / "run", iteration=2)
    assert balanced(second.manifest)["prompts"] == balanced(first.manifest)["prompts"]
    assert "has changed since X was drawn" in caplog.text
    source.unlink()
    third = make(fake_recipe(source, sampling__seed=2), tmp_path / "run", iteration=3)
    assert balanced(third.manifest)["prompts"]["kept"] == 8


def test_a_grown_source_grows_the_first_iteration(source: Path, tmp_path: Path) -> None:
    first = make(fake_recipe(source), tmp_path / "run")
    write_source(source, [prompt(i) for i in range(10)])
    grown = make(fake_recipe(source), tmp_path / "run")
    assert grown.calls["sample"] < first.calls["sample"]
    assert balanced(grown.manifest)["prompts"]["kept"] == 10


def test_a_home_in_the_sources_name_is_read_and_hashed_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    one = make(fake_recipe(Path("~/x.jsonl")), tmp_path / "run")
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(10, 14)])
    other = make(fake_recipe(Path("~/x.jsonl")), tmp_path / "run")
    assert set(one.train["prompt_id"].to_pylist()).isdisjoint(other.train["prompt_id"].to_pylist())


# What a dataset is made of.


def test_after_a_retrained_reward_model_the_export_is_of_the_new_dataset(source: Path, tmp_path: Path) -> None:
    """The folder's name is the same; what is in it is not."""
    recipe = fake_recipe(source, reward__model=str(armorm(tmp_path / "reward")))
    old = make(recipe, tmp_path / "run")
    shutil.rmtree(tmp_path / "reward")
    armorm(tmp_path / "reward", seed=3)
    new = make(recipe, tmp_path / "run")
    assert new.folder != old.folder
    export(Run(recipe, tmp_path / "run", 1, True), "trl", tmp_path / "out.jsonl")
    chosen = [json.loads(line)["chosen"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert chosen == new.train["chosen"].to_pylist() != old.train["chosen"].to_pylist()
    changed = Run(stored.stored_recipe(tmp_path / "run", 1, {"policy.in_flight": 3}), tmp_path / "run", 1, True)
    export(changed, "trl", tmp_path / "again.jsonl")  # what only decides how the work runs makes no other dataset
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


# What is said of rows.


def test_selected_is_null_for_what_was_not_ranked(source: Path, tmp_path: Path) -> None:
    """Algorithm 2 ranks D; D'_k is made of what was selected and carries no rank of its own."""
    made = make(fake_recipe(source, algorithm="select-then-evolve", selection__k=3), tmp_path / "run")
    assert set(made.selected["selected"].to_pylist()) == {None}
    rows = made.train.to_pylist()
    assert Counter(row["selected"] for row in rows if row["source"] == "initial")[True] == 3
    assert {row["selected"] for row in rows if row["source"] == "evolved"} == {None}
    assert all((row["rank"] is None) == (row["selected"] is None) for row in rows)


def test_a_new_reward_model_scores_what_the_recipe_reads(source: Path, tmp_path: Path) -> None:
    big = make(fake_recipe(source), tmp_path / "run")
    one = fake_recipe(source, reward__model="fake:9", evolve__strategies=["deepen"], sampling__n=2)
    small = make(one, tmp_path / "run")
    read = balanced(small.manifest)
    n_prompts = read["prompts"]["kept"] + read["evol_instruct"]["kept"]
    assert small.calls["reward"] <= 2 * n_prompts < big.calls["reward"]
    assert make(one, tmp_path / "run").calls == NO_CALLS
    assert make(fake_recipe(source, reward__model="fake:9"), tmp_path / "run").calls["reward"] > 0  # the rest, then


def test_reward_errors_are_counted_by_reason(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(3)] + ["long " * 600])
    recipe = fake_recipe(source, reward__model=str(armorm(tmp_path / "short", limit=600)))
    made = make(recipe, tmp_path / "run")
    assert made.manifest["reward_errors"]["too_long"] >= 5


def test_a_margin_that_is_no_number_is_a_reason_not_the_end_of_every_metric() -> None:
    rows = np.zeros(4, PAIR)
    rows["score_chosen"], rows["n_tokens_chosen"], rows["n_tokens_rejected"] = [1, 2, np.nan, 4], [5, 5, 5, 0], 5
    rows["logp_chosen"] = [-1, -np.inf, -1, -1]
    found = _finite(Pairs(rows, 5, Counter({"tie": 1})))
    assert (len(found), found.dropped) == (1, {"tie": 1, "not_finite": 3})


def test_what_was_made_is_opened_again(source: Path, tmp_path: Path) -> None:
    made = grow(fake_recipe(source), tmp_path / "run")
    again = open_dataset(made.folder)
    assert again.manifest == made.manifest
    pairs: list[dict[str, Any]] = list(again.pairs())
    assert len(pairs) == made.manifest["rows"]["train"]["kept"]
    with pytest.raises(UserError, match="No dataset at"):
        open_dataset(tmp_path)


def test_responses_are_exported_with_the_parent_that_comes_first(source: Path, tmp_path: Path) -> None:
    made: Made = make(fake_recipe(source), tmp_path / "run")
    export(Run(fake_recipe(source), tmp_path / "run", 1, True), "responses", tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    parents = {row["prompt_id"]: (row["parent_id"], row["strategy"]) for row in rows}
    for row in made.selected.to_pylist():
        assert parents[row["prompt_id"]] == (row["parent_id"], row["strategy"])
