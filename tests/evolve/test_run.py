"""Whole runs: books that balance, views that call no model, refusals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evolve.datasets.train import SCHEMA
from fake_runs import (
    CONTEXT,
    NO_CALLS,
    TOO_LONG,
    Made,
    balanced,
    fake_recipe,
    make,
    pool_rows,
    some_leave,
    write_source,
)
from prompts.errors import UserError


def _columns(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_books_balance_from_stage_to_stage(made: Made) -> None:
    rows = balanced(made.manifest)
    assert rows["prompts"] == {"in": 27, "kept": 25, "dropped": {"duplicate": 1, "empty": 1}}
    assert rows["evol_instruct"]["in"] == 25 * 5
    assert rows["evol_instruct"]["dropped"]["parent_too_long"] == 5
    assert rows["gen_dataset_initial"]["in"] == 25
    assert rows["gen_dataset_initial"]["dropped"]["too_long"] == 1
    assert rows["gen_dataset_evolved"]["in"] == rows["evol_instruct"]["kept"]
    assert rows["selection"]["in"] == rows["gen_dataset_evolved"]["kept"]
    assert rows["selection"]["kept"] == -(-rows["selection"]["in"] // 5)
    assert rows["train"]["kept"] == rows["gen_dataset_initial"]["kept"] + rows["selection"]["kept"] == len(made.train)
    assert len(made.selected) == rows["selection"]["kept"]


def test_books_balance_when_selection_comes_first(source: Path, tmp_path: Path) -> None:
    made = make(some_leave(source, algorithm="select-then-evolve", selection__k="50%"), tmp_path)
    rows = balanced(made.manifest)
    assert rows["selection"]["in"] == rows["gen_dataset_initial"]["kept"]
    assert rows["evol_instruct"]["in"] == 5 * rows["selection"]["kept"] == 5 * -(-rows["selection"]["in"] // 2)
    assert rows["gen_dataset_evolved"]["in"] == rows["evol_instruct"]["kept"]
    assert rows["train"]["kept"] == rows["gen_dataset_initial"]["kept"] + rows["gen_dataset_evolved"]["kept"]
    assert made.calls["rewrite"] == rows["evol_instruct"]["in"]
    evolved = {row["prompt_id"]: row["parent_id"] for row in made.train.to_pylist() if row["source"] == "evolved"}
    chosen = {row["prompt_id"] for row in made.train.to_pylist() if row["source"] == "initial" and row["selected"]}
    assert set(evolved.values()) <= chosen


def test_model_calls_are_the_rows_that_were_made(made: Made) -> None:
    rows = pool_rows(made.run)
    responses = [row for row in map(json.loads, rows["responses"]) if row["sample_index"] >= 0]
    rewrites = [row for row in map(json.loads, rows["prompts"]) if row["parent_id"] and row["finish_reason"]]
    assert made.calls == {"rewrite": len(rewrites), "sample": len(responses), "reward": len(rows["rewards"])}
    assert len(rewrites) == 24 * 5
    assert len(rows["rewards"]) == len(responses) == 5 * (24 + made.manifest["rows"]["evol_instruct"]["kept"])


@pytest.mark.parametrize("metric", ["eva", "implicit", "uniform"])
def test_a_second_metric_calls_no_model(made: Made, source: Path, metric: str) -> None:
    before = pool_rows(made.run)
    other = make(some_leave(source, selection__metric=metric), made.run)
    assert other.calls == NO_CALLS
    assert pool_rows(made.run) == before
    assert other.folder != made.folder
    assert set(_columns(other.selected, "pair_id")) != set(_columns(made.selected, "pair_id"))
    assert other.manifest["rows"]["gen_dataset_evolved"] == made.manifest["rows"]["gen_dataset_evolved"]


def test_eva_ranks_by_the_reward_margin_and_implicit_by_the_other(made: Made, source: Path) -> None:
    for metric, column, sign in (("eva", "reward_margin", 1), ("implicit", "implicit_margin", -1)):
        ranked = make(some_leave(source, selection__metric=metric, selection__k="100%"), made.run).selected
        scores = sign * np.array(ranked[column])
        assert (np.diff(scores) <= 0).all()
        assert np.array(ranked["metric_score"]) == pytest.approx(scores)


def test_the_other_algorithm_calls_no_model_and_finds_the_same_rows(made: Made, source: Path) -> None:
    """Algorithm 2's D'_k is the rows of Algorithm 1's D' whose parent was selected."""
    whole = make(some_leave(source, selection__k="100%"), made.run, view_only=True).selected
    other = make(some_leave(source, algorithm="select-then-evolve", selection__k=7), made.run)
    assert other.calls == NO_CALLS
    chosen = {row["prompt_id"] for row in other.train.to_pylist() if row["selected"]}
    assert len(chosen) == 7
    # Score and rank are of different sets (D' there, D here); all else of a row must agree.
    names = [name for name in SCHEMA.names if name not in ("metric_score", "rank", "selected")]
    expected = [row for row in whole.to_pylist() if row["parent_id"] in chosen]
    assert expected
    by_id = {row["prompt_id"]: {name: row[name] for name in names} for row in expected}
    assert by_id == {row["prompt_id"]: {name: row[name] for name in names} for row in other.selected.to_pylist()}


def test_the_paper_s_algorithm_after_the_other_computes_only_the_rest(source: Path, tmp_path: Path, made: Made) -> None:
    first = make(some_leave(source, algorithm="select-then-evolve", selection__k=7), tmp_path)
    second = make(some_leave(source), tmp_path)
    assert first.calls["rewrite"] == 35
    assert {name: first.calls[name] + second.calls[name] for name in NO_CALLS} == made.calls
    assert (second.folder / "train.parquet").read_bytes() == (made.folder / "train.parquet").read_bytes()
    assert pool_rows(tmp_path) == pool_rows(made.run)


def test_running_again_computes_nothing_and_writes_the_same_bytes(made: Made, source: Path) -> None:
    before = {name: (made.folder / name).read_bytes() for name in ("train.parquet", "selected.parquet", "README.md")}
    again = make(some_leave(source), made.run)
    assert again.calls == NO_CALLS
    assert {name: (again.folder / name).read_bytes() for name in before} == before


def test_the_combined_pool_ranks_both_sets_together(made: Made, source: Path) -> None:
    both = make(some_leave(source, selection__pool="combined", selection__k="40%"), made.run)
    assert both.calls == NO_CALLS
    rows = balanced(both.manifest)
    assert rows["selection"]["in"] == rows["gen_dataset_initial"]["kept"] + rows["gen_dataset_evolved"]["kept"]
    assert rows["train"]["kept"] == rows["selection"]["kept"] == len(both.train)
    assert both.train["rank"].to_pylist() == list(range(len(both.train)))
    assert set(both.train["source"].to_pylist()) == {"initial", "evolved"}
    assert both.train["selected"].to_pylist() == [True] * len(both.train)
    assert both.train.equals(both.selected)


def test_the_paper_s_guard_keeps_what_the_default_drops(made: Made, source: Path) -> None:
    paper = make(some_leave(source, selection__guard="paper"), made.run)
    assert paper.calls == NO_CALLS
    dropped = Counter(made.manifest["rows"]["gen_dataset_evolved"]["dropped"])
    rows = balanced(paper.manifest)
    assert rows["gen_dataset_evolved"]["dropped"] == {}
    assert rows["gen_dataset_evolved"]["kept"] == made.manifest["rows"]["gen_dataset_evolved"]["kept"] + dropped.total()
    scores = {row["response_id"]: row["score"] for row in map(json.loads, pool_rows(made.run)["rewards"])}
    responses = map(json.loads, pool_rows(made.run)["responses"])
    best: dict[str, float] = {}
    for row in (row for row in responses if row["sample_index"] >= 0):
        best[row["prompt_id"]] = max(best.get(row["prompt_id"], 0.0), scores[row["id"]])
    assert all(best[row["prompt_id"]] == row["score_chosen"] for row in paper.train.to_pylist())  # cut off or not


def test_nothing_to_rank_is_said_with_the_reasons(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [TOO_LONG, TOO_LONG + "er"])
    with pytest.raises(UserError, match=r"No pair is left to rank"):
        make(fake_recipe(path, policy__max_model_len=CONTEXT), tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({}, "at most 125 rewrites of 25 prompts"),
        ({"algorithm": "select-then-evolve"}, "25 prompts"),
        ({"selection__pool": "combined"}, "25 prompts and at most 125 rewrites"),
    ],
)
def test_more_than_there_can_be_is_refused_before_any_work(
    settings: dict[str, Any], most: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"k is 10000, and the set to select from is made of {most}"):
        make(some_leave(source, selection__k=10_000, **settings), tmp_path)
    assert not list(tmp_path.glob("pool/responses/*/*.parquet"))


def test_more_than_there_is_is_refused_after_the_rows_are_safe(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"k is 125 but the set .* pairs"):
        make(some_leave(source, selection__k=125), tmp_path)
    assert make(some_leave(source), tmp_path).calls == NO_CALLS


def test_a_later_iteration_lies_beside_the_first(made: Made, source: Path) -> None:
    second = make(some_leave(source, sampling__seed=7), made.run, iteration=2)
    assert second.folder.parents[1].name == "iteration-2"
    assert set(second.train["iteration"].to_pylist()) == {2}
    assert second.calls["rewrite"] == made.calls["rewrite"]
    of_x = [[row["prompt_id"] for row in one.train.to_pylist() if row["source"] == "initial"] for one in (made, second)]
    assert of_x[0] == of_x[1]  # X is the same (Section 4.4): only the policy moves
