"""Changed settings and more prompts only add rows; of equal rewrites one stays."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.datasets.folder import find_dataset
from evolve.executors.local import run_jobs
from evolve.run import Run
from fake_runs import NO_CALLS, Made, balanced, fake_recipe, make, pool_rows, prompt, some_leave, write_source
from generation import Completion, Request
from generation.engines.fake import FakeChat, FakeEngine
from prompts.errors import UserError


def test_raising_n_samples_only_what_is_missing(source: Path, tmp_path: Path, made: Made) -> None:
    few = make(some_leave(source, sampling__n=2), tmp_path)
    before = pool_rows(tmp_path)
    more = make(some_leave(source), tmp_path)
    assert more.calls["rewrite"] == 0
    assert few.calls["sample"] * 3 == more.calls["sample"] * 2
    assert more.calls["reward"] == more.calls["sample"]
    after = pool_rows(tmp_path)
    assert all(set(before[table]) <= set(after[table]) for table in before)
    assert after == pool_rows(made.run)  # as if five had been asked for at once
    assert (more.folder / "train.parquet").read_bytes() == (made.folder / "train.parquet").read_bytes()
    fewer = make(some_leave(source, sampling__n=2), tmp_path)
    assert fewer.calls == NO_CALLS
    assert (fewer.folder / "train.parquet").read_bytes() != (made.folder / "train.parquet").read_bytes()


def test_adding_prompts_only_adds(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(10)])
    make(fake_recipe(path), tmp_path / "run")
    before = pool_rows(tmp_path / "run")
    write_source(path, [prompt(i) for i in range(14)])
    more = make(fake_recipe(path), tmp_path / "run")
    assert more.calls["rewrite"] == 4 * 5
    assert more.manifest["rows"]["prompts"]["kept"] == 14
    after = pool_rows(tmp_path / "run")
    assert all(set(before[table]) < set(after[table]) for table in before)
    assert all(len(set(rows)) == len(rows) for rows in after.values())


def test_adding_a_strategy_only_adds(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(10)])
    few = make(fake_recipe(path, evolve__strategies=["deepen", "breadth"]), tmp_path / "run")
    assert few.calls["rewrite"] == 20
    assert set(few.selected["strategy"].to_pylist()) <= {"deepen", "breadth"}
    more = make(fake_recipe(path, evolve__strategies=["deepen", "breadth", "reasoning"]), tmp_path / "run")
    assert more.calls["rewrite"] == 10
    twice = make(fake_recipe(path, evolve__strategies=["deepen"], evolve__per_strategy=2), tmp_path / "run")
    assert twice.calls["rewrite"] == 10
    assert twice.manifest["rows"]["evol_instruct"]["in"] == 20


@pytest.mark.parametrize(
    "changed", [{"sampling__temperature": 0.7}, {"sampling__seed": 1}, {"sampling__max_tokens": 500}]
)
def test_a_changed_setting_makes_new_rows_beside_the_old(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(6)])
    first = make(fake_recipe(path), tmp_path / "run")
    before = pool_rows(tmp_path / "run")
    second = make(fake_recipe(path, **changed), tmp_path / "run")
    assert second.calls["rewrite"] == first.calls["rewrite"] == 30
    assert second.calls["sample"] >= 30
    assert all(set(before[table]) < set(pool_rows(tmp_path / "run")[table]) for table in ("prompts", "responses"))
    assert make(fake_recipe(path), tmp_path / "run").calls == NO_CALLS
    with pytest.raises(UserError, match="`evolve run`"):
        make(fake_recipe(path, sampling__top_p=0.5), tmp_path / "run", view_only=True)


def test_a_second_reward_model_scores_the_same_responses(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(6)])
    first = make(fake_recipe(path), tmp_path / "run")
    scores = first.train["score_chosen"].to_pylist()
    second = make(fake_recipe(path, reward__model="fake:1"), tmp_path / "run")
    assert second.calls == {"rewrite": 0, "sample": 0, "reward": first.calls["reward"]}
    assert second.train["score_chosen"].to_pylist() != scores
    assert make(fake_recipe(path), tmp_path / "run").train["score_chosen"].to_pylist() == scores


def test_a_second_draw_is_disjoint_and_reproducible(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(20)])

    def drawn(folder: str, draw: int) -> set[str]:
        recipe = fake_recipe(path, prompts__limit=8, prompts__draw=draw, evolve__strategies=["deepen"])
        train = make(recipe, tmp_path / folder).train.to_pylist()
        return {row["prompt"][0]["content"] for row in train if row["source"] == "initial"}

    first, second = drawn("one", 1), drawn("one", 2)
    assert len(first) == len(second) == 8
    assert not first & second
    assert drawn("two", 2) == second


def test_the_system_prompt_is_stored_with_every_row(tmp_path: Path) -> None:
    own = [{"role": "system", "content": "Answer in Latin."}, {"role": "user", "content": prompt(50)}]
    turns = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hi."}]
    path = write_source(
        tmp_path / "prompts.jsonl",
        [*map(prompt, range(6)), own, [*turns, {"role": "user", "content": prompt(51)}]],
    )
    made = make(fake_recipe(path, policy__system_prompt="Be brief."), tmp_path / "run")
    rows = made.train.to_pylist()
    assert {row["prompt"][0]["role"] for row in rows} == {"system"}
    by_parent = {row["prompt_id"]: row["prompt"] for row in rows if row["source"] == "initial"}
    assert Counter(messages[0]["content"] for messages in by_parent.values()) == {"Be brief.": 7, "Answer in Latin.": 1}
    for row in rows:
        if row["source"] == "evolved":  # earlier turns and the system message are those of the parent
            assert row["prompt"][:-1] == by_parent[row["parent_id"]][:-1]
    without = make(fake_recipe(path), tmp_path / "run")
    assert without.calls["rewrite"] == 7 * 5  # the one with a system message of its own is there already


def test_prompts_made_equal_by_the_system_prompt_are_one(tmp_path: Path) -> None:
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt(0)}]
    path = write_source(tmp_path / "prompts.jsonl", [*map(prompt, range(5)), own])
    made = make(fake_recipe(path, policy__system_prompt="Be brief."), tmp_path / "run")
    assert balanced(made.manifest)["prompts"] == {"in": 6, "kept": 5, "dropped": {"duplicate": 1}}
    ids = made.train["pair_id"].to_pylist()
    assert len(set(ids)) == len(ids)


class _SameRewrites(FakeEngine):
    """Rewrites all prompts to one text, every other time in capitals."""

    def _sample(self, request: Request, i: int) -> Completion:
        drawn = super()._sample(request, i)
        if request.n > 1:
            return drawn
        text = "Describe the glacier behind the old library in winter."
        return Completion(text.upper() if self.requests % 2 else text, drawn.token_ids, drawn.logp, "stop")


def _grow_backwards(recipe: Any, folder: Path) -> None:
    """Fill the pool with the rows that a run wants, the last of them first."""
    run = Run(recipe, folder)

    async def grow() -> None:
        engine = _SameRewrites()
        await engine.start()
        jobs = list(run.jobs.missing(set(run.prompts), set(run.prompts)))
        grower = run.grower(engine, FakeChat())
        await run_jobs(grower, iter(jobs[::-1]), run.pool, run.tally, run.recipe.policy.in_flight)

    with run.pool.growing(run.sampler.id):
        asyncio.run(grow())
    run.pool.close()


def test_of_equal_rewrites_the_first_in_order_stays_whoever_was_done_first(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [*map(prompt, range(6)), "Describe the glacier in winter."])
    recipe = fake_recipe(path, evolve__strategies=["deepen", "breadth"], policy__in_flight=1, selection__metric="eva")
    _grow_backwards(recipe, tmp_path / "run")
    made = make(recipe, tmp_path / "run")
    assert made.calls == NO_CALLS | {"reward": made.calls["reward"]}
    assert balanced(made.manifest)["evol_instruct"] == {"in": 14, "kept": 1, "dropped": {"duplicate": 13}}
    (row,) = made.selected.to_pylist()
    first = made.train.to_pylist()[0]
    assert (row["parent_id"], row["strategy"]) == (first["prompt_id"], "deepen")
    stored = [one for one in map(json.loads, pool_rows(tmp_path / "run")["prompts"]) if one["id"] == row["prompt_id"]]
    assert len(stored) > 1  # each of the equal rewrites is a row of the pool, asked for by another
    other = make(
        fake_recipe(
            path,
            evolve__strategies=["deepen", "breadth"],
            algorithm="select-then-evolve",
            selection__metric="eva",
            selection__k=3,
        ),
        tmp_path / "run",
    )
    assert other.calls == NO_CALLS
    (row,) = other.selected.to_pylist()
    best = min((one for one in other.train.to_pylist() if one["selected"]), key=lambda one: one["rank"])
    assert row["parent_id"] == best["prompt_id"]


def test_a_rewrite_that_is_a_prompt_of_x_is_dropped(tmp_path: Path) -> None:
    path = write_source(
        tmp_path / "prompts.jsonl", [*map(prompt, range(3)), "Describe the glacier behind the old library in winter"]
    )
    recipe = fake_recipe(path, evolve__strategies=["deepen"], policy__in_flight=1, selection__pool="combined")
    _grow_backwards(recipe, tmp_path / "run")
    rows = balanced(make(recipe, tmp_path / "run").manifest)
    assert rows["evol_instruct"]["kept"] == 0
    assert rows["evol_instruct"]["dropped"] == {"duplicate": 3, "unchanged": 1}


def test_another_reward_model_writes_beside_the_first_dataset_not_over_it(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)])
    first = make(fake_recipe(source), tmp_path / "run")
    before = (first.folder / "train.parquet").read_bytes()
    other = make(fake_recipe(source, reward__model="fake:5"), tmp_path / "run")
    assert other.folder != first.folder
    assert (first.folder / "train.parquet").read_bytes() == before
    assert make(fake_recipe(source), tmp_path / "run").folder == first.folder
    assert find_dataset(Run(fake_recipe(source, reward__model="fake:5"), tmp_path / "run")) == other.folder
