"""Whole runs: books, views that call no model, growth that only adds, and numbers computed a second way."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fake_runs import NO_CALLS, Made, fake_recipe, make, pool_rows, prompt, write_source

from evolve.dataset import SCHEMA
from evolve.output import find_dataset
from evolve.run import Run
from generation import Completion, Request
from generation.fake import FakeChat, FakeEngine
from prompts.errors import UserError

N_PROMPTS = 24
ALGORITHMS = ("evolve-then-select", "select-then-evolve")
# Prompts of which some leave at every stage: a duplicate, an empty one, one longer than the policy's context.
CONTEXT = 4_000
TOO_LONG = "Task 999: " + "long " * 900
SOURCE = [*map(prompt, range(N_PROMPTS)), prompt(3).upper() + ".", "  ", TOO_LONG]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", SOURCE)


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run by the paper's algorithm and metric. Tests make further views of it, none of which may touch its rows."""
    return make(_recipe(source), tmp_path_factory.mktemp("runs") / "run")


def _recipe(source: Path, **settings: Any) -> Any:
    return fake_recipe(source, **{"policy__max_model_len": CONTEXT} | settings)


def _run_of(made: Made) -> Path:
    return made.folder.parents[2]


def _columns(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _balanced(manifest: dict[str, Any]) -> dict[str, Any]:
    rows: dict[str, Any] = manifest["rows"]
    for stage, book in rows.items():
        assert book["in"] == book["kept"] + sum(book["dropped"].values()), stage
    return rows


def test_books_balance_from_stage_to_stage(made: Made) -> None:
    rows = _balanced(made.manifest)
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
    made = make(_recipe(source, algorithm="select-then-evolve", selection__k="50%"), tmp_path)
    rows = _balanced(made.manifest)
    assert rows["selection"]["in"] == rows["gen_dataset_initial"]["kept"]
    assert rows["evol_instruct"]["in"] == 5 * rows["selection"]["kept"] == 5 * -(-rows["selection"]["in"] // 2)
    assert rows["gen_dataset_evolved"]["in"] == rows["evol_instruct"]["kept"]
    assert rows["train"]["kept"] == rows["gen_dataset_initial"]["kept"] + rows["gen_dataset_evolved"]["kept"]
    assert made.calls["rewrite"] == rows["evol_instruct"]["in"]
    evolved = {row["prompt_id"]: row["parent_id"] for row in made.train.to_pylist() if row["source"] == "evolved"}
    chosen = {row["prompt_id"] for row in made.train.to_pylist() if row["source"] == "initial" and row["selected"]}
    assert set(evolved.values()) <= chosen


def test_model_calls_are_the_rows_that_were_made(made: Made) -> None:
    rows = pool_rows(_run_of(made))
    responses = [row for row in map(json.loads, rows["responses"]) if row["sample_index"] >= 0]
    rewrites = [row for row in map(json.loads, rows["prompts"]) if row["parent_id"] and row["finish_reason"]]
    assert made.calls == {"rewrite": len(rewrites), "sample": len(responses), "reward": len(rows["rewards"])}
    assert len(rewrites) == 24 * 5
    assert len(rows["rewards"]) == len(responses) == 5 * (24 + made.manifest["rows"]["evol_instruct"]["kept"])


@pytest.mark.parametrize("metric", ["eva", "implicit", "uniform"])
def test_a_second_metric_calls_no_model(made: Made, source: Path, metric: str) -> None:
    before = pool_rows(_run_of(made))
    other = make(_recipe(source, selection__metric=metric), _run_of(made))
    assert other.calls == NO_CALLS
    assert pool_rows(_run_of(made)) == before
    assert other.folder != made.folder
    assert set(_columns(other.selected, "pair_id")) != set(_columns(made.selected, "pair_id"))
    assert other.manifest["rows"]["gen_dataset_evolved"] == made.manifest["rows"]["gen_dataset_evolved"]


def test_eva_ranks_by_the_reward_margin_and_implicit_by_the_other(made: Made, source: Path) -> None:
    for metric, column, sign in (("eva", "reward_margin", 1), ("implicit", "implicit_margin", -1)):
        ranked = make(_recipe(source, selection__metric=metric, selection__k="100%"), _run_of(made)).selected
        scores = sign * np.array(ranked[column])
        assert (np.diff(scores) <= 0).all()
        assert np.array(ranked["metric_score"]) == pytest.approx(scores)


def test_the_other_algorithm_calls_no_model_and_finds_the_same_rows(made: Made, source: Path) -> None:
    """Algorithm 2's D'_k is the rows of Algorithm 1's D' whose parent was selected."""
    whole = make(_recipe(source, selection__k="100%"), _run_of(made), view_only=True).selected
    other = make(_recipe(source, algorithm="select-then-evolve", selection__k=7), _run_of(made))
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
    first = make(_recipe(source, algorithm="select-then-evolve", selection__k=7), tmp_path)
    second = make(_recipe(source), tmp_path)
    assert first.calls["rewrite"] == 35
    assert {name: first.calls[name] + second.calls[name] for name in NO_CALLS} == made.calls
    assert (second.folder / "train.parquet").read_bytes() == (made.folder / "train.parquet").read_bytes()
    assert pool_rows(tmp_path) == pool_rows(_run_of(made))


def test_running_again_computes_nothing_and_writes_the_same_bytes(made: Made, source: Path) -> None:
    before = {name: (made.folder / name).read_bytes() for name in ("train.parquet", "selected.parquet", "README.md")}
    again = make(_recipe(source), _run_of(made))
    assert again.calls == NO_CALLS
    assert {name: (again.folder / name).read_bytes() for name in before} == before


def test_scores_and_scale_computed_a_second_way(made: Made, source: Path) -> None:
    """M_AP, sigma, the threshold, ranks and means from the columns of the whole D' alone."""
    whole = make(_recipe(source, selection__k="100%"), _run_of(made), view_only=True).selected
    column = {name: np.array(whole[name]) for name in whole.schema.names if name.startswith(("score", "logp", "n_tok"))}
    explicit = np.abs(column["score_chosen"] - column["score_rejected"])
    hidden = np.abs(
        column["logp_chosen"] / column["n_tokens_chosen"] - column["logp_rejected"] / column["n_tokens_rejected"]
    )
    sigma_r, sigma_pi = (np.sqrt(np.mean((x - np.mean(x)) ** 2)) for x in (explicit, hidden))
    potential = explicit / sigma_r - 2.5 / sigma_pi * hidden
    order = sorted(range(len(whole)), key=lambda i: (-potential[i], whole["pair_id"][i].as_py()))
    n_best = -(-len(whole) // 5)

    ranking = made.manifest["ranking"]
    assert (ranking["sigma_r"], ranking["sigma_pi"]) == (pytest.approx(sigma_r), pytest.approx(sigma_pi))
    assert ranking["threshold"] == pytest.approx(potential[order[n_best - 1]])
    assert (ranking["ranked"], ranking["selected"], ranking["alpha"], ranking["k"]) == (len(whole), n_best, 2.5, "20%")
    assert made.selected["pair_id"].to_pylist() == [whole["pair_id"][i].as_py() for i in order[:n_best]]
    assert np.array(made.selected["metric_score"]) == pytest.approx(potential[order[:n_best]])
    assert made.selected["rank"].to_pylist() == list(range(n_best))
    assert np.array(whole["reward_margin"]) == pytest.approx(explicit)
    assert np.array(whole["implicit_margin"]) == pytest.approx(hidden)
    for metric, scores in (("map", potential), ("eva", explicit), ("implicit", -hidden)):
        mean = ranking["metric_means"][metric]
        assert mean["before"] == pytest.approx(scores.mean())
        assert mean["after"] == pytest.approx(scores[order[:n_best]].mean())


def test_pairs_are_best_against_worst_of_the_pool_s_rows(made: Made) -> None:
    rows = pool_rows(_run_of(made))
    rewards = {row["response_id"]: row["score"] for row in map(json.loads, rows["rewards"])}
    responses = {row["id"]: row for row in map(json.loads, rows["responses"])}
    of_prompt: dict[str, list[dict[str, Any]]] = {}
    for row in responses.values():
        of_prompt.setdefault(row["prompt_id"], []).append(row)
    for pair in made.train.to_pylist():
        five = of_prompt[pair["prompt_id"]]
        assert len(five) == 5
        assert pair["score_chosen"] == max(rewards[one["id"]] for one in five if one["finish_reason"] == "stop")
        assert pair["score_rejected"] == min(rewards[one["id"]] for one in five)
        for side in ("chosen", "rejected"):
            row = responses[pair[f"{side}_id"]]
            assert row["prompt_id"] == pair["prompt_id"]
            assert pair[side] == [{"role": "assistant", "content": row["text"]}]
            assert (pair[f"logp_{side}"], pair[f"n_tokens_{side}"]) == (row["logp"], row["n_tokens"])
            assert pair[f"score_{side}"] == rewards[row["id"]]


def test_columns_types_and_order_of_the_train_set(made: Made) -> None:
    train = made.train
    assert train.schema.equals(SCHEMA)
    turn = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    expected = {"prompt": turn, "chosen": turn, "rejected": turn, "prompt_id": pa.string(), "parent_id": pa.string()}
    expected |= {"strategy": pa.string(), "source": pa.string(), "iteration": pa.int32(), "score_chosen": pa.float64()}
    expected |= {"score_rejected": pa.float64(), "logp_chosen": pa.float64(), "logp_rejected": pa.float64()}
    expected |= {"n_tokens_chosen": pa.int32(), "n_tokens_rejected": pa.int32(), "reward_margin": pa.float64()}
    expected |= {"implicit_margin": pa.float64(), "metric_score": pa.float64(), "rank": pa.int64()}
    expected |= {"selected": pa.bool_()}
    assert {name: train.schema.field(name).type for name in expected} == expected

    rows = train.to_pylist()
    n_initial = made.manifest["rows"]["gen_dataset_initial"]["kept"]
    for i, row in enumerate(rows):
        initial = i < n_initial
        assert row["source"] == ("initial" if initial else "evolved")
        assert (row["parent_id"] is None) == (row["strategy"] is None) == (row["rank"] is None) == initial
        assert row["selected"] == (not initial)
        assert row["iteration"] == 1
        assert [turn["role"] for turn in row["prompt"]] == ["user"]
    assert [row["prompt"][0]["content"] for row in rows[:n_initial]] == SOURCE[:n_initial]
    assert len({row["pair_id"] for row in rows}) == len({row["prompt_id"] for row in rows}) == len(rows)
    parents = {row["prompt_id"] for row in rows[:n_initial]}
    assert {row["parent_id"] for row in rows[n_initial:]} <= parents
    assert rows[n_initial:] == made.selected.to_pylist()


def test_what_the_manifest_holds(made: Made, source: Path) -> None:
    manifest = made.manifest
    assert manifest["recipe"] == json.loads(_recipe(source).model_dump_json())
    assert manifest["iteration"] == 1
    assert {"python", "pyarrow", "numpy"} <= manifest["versions"].keys()
    assert manifest["sampler"]["engine_description"]["logprobs_mode"] == "raw_logprobs"
    assert manifest["sampler"]["fingerprint"] == "fake"
    assert {one["fingerprint"] for one in manifest["rewards"]} == {"fake"}
    assert set(manifest["templates"]) == {"constraints", "deepen", "concretize", "reasoning", "breadth"}
    assert {"prompts", "generate", "reward", "write"} <= manifest["stages"].keys()
    assert manifest["stages"]["generate"]["tokens"] > 0
    responses = [row for row in map(json.loads, pool_rows(_run_of(made))["responses"]) if not row["error"]]
    rewrites = map(json.loads, pool_rows(_run_of(made))["prompts"])
    tokens = sum(row["n_tokens"] for row in responses) + sum(row["n_tokens"] or 0 for row in rewrites)
    assert manifest["stages"]["generate"]["tokens"] == tokens


def test_the_card_says_the_numbers(made: Made) -> None:
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    rows, ranking = made.manifest["rows"], made.manifest["ranking"]
    assert f"{rows['train']['kept']} preference pairs" in card
    for stage in ("prompts", "evol_instruct", "gen_dataset_initial", "gen_dataset_evolved", "selection"):
        line = next(line for line in card.splitlines() if line.startswith(f"| {stage.replace('_', ' ')} |"))
        assert f"| {rows[stage]['in']} | {rows[stage]['kept']} |" in line
        assert all(f"{reason} {n}" in line for reason, n in rows[stage]["dropped"].items())
    assert f"{ranking['threshold']:.4g}" in card
    assert f"{ranking['sigma_r']:.4g}" in card
    assert f"{ranking['sigma_pi']:.4g}" in card
    assert "evolve-then-select by map (alpha 2.5)" in card
    assert "data_files: train.parquet" in card.split("---")[1]


def test_raising_n_samples_only_what_is_missing(source: Path, tmp_path: Path, made: Made) -> None:
    few = make(_recipe(source, sampling__n=2), tmp_path)
    before = pool_rows(tmp_path)
    more = make(_recipe(source), tmp_path)
    assert more.calls["rewrite"] == 0
    assert few.calls["sample"] * 3 == more.calls["sample"] * 2
    assert more.calls["reward"] == more.calls["sample"]
    after = pool_rows(tmp_path)
    assert all(set(before[table]) <= set(after[table]) for table in before)
    assert after == pool_rows(_run_of(made))  # as if five had been asked for at once
    assert (more.folder / "train.parquet").read_bytes() == (made.folder / "train.parquet").read_bytes()
    fewer = make(_recipe(source, sampling__n=2), tmp_path)
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


def test_the_combined_pool_ranks_both_sets_together(made: Made, source: Path) -> None:
    both = make(_recipe(source, selection__pool="combined", selection__k="40%"), _run_of(made))
    assert both.calls == NO_CALLS
    rows = _balanced(both.manifest)
    assert rows["selection"]["in"] == rows["gen_dataset_initial"]["kept"] + rows["gen_dataset_evolved"]["kept"]
    assert rows["train"]["kept"] == rows["selection"]["kept"] == len(both.train)
    assert both.train["rank"].to_pylist() == list(range(len(both.train)))
    assert set(both.train["source"].to_pylist()) == {"initial", "evolved"}
    assert both.train["selected"].to_pylist() == [True] * len(both.train)
    assert both.train.equals(both.selected)


def test_the_paper_s_guard_keeps_what_the_default_drops(made: Made, source: Path) -> None:
    paper = make(_recipe(source, selection__guard="paper"), _run_of(made))
    assert paper.calls == NO_CALLS
    dropped = Counter(made.manifest["rows"]["gen_dataset_evolved"]["dropped"])
    rows = _balanced(paper.manifest)
    assert rows["gen_dataset_evolved"]["dropped"] == {}
    assert rows["gen_dataset_evolved"]["kept"] == made.manifest["rows"]["gen_dataset_evolved"]["kept"] + dropped.total()
    scores = {row["response_id"]: row["score"] for row in map(json.loads, pool_rows(_run_of(made))["rewards"])}
    responses = map(json.loads, pool_rows(_run_of(made))["responses"])
    best: dict[str, float] = {}
    for row in (row for row in responses if row["sample_index"] >= 0):
        best[row["prompt_id"]] = max(best.get(row["prompt_id"], 0.0), scores[row["id"]])
    assert all(best[row["prompt_id"]] == row["score_chosen"] for row in paper.train.to_pylist())  # cut off or not


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
    assert _balanced(made.manifest)["prompts"] == {"in": 6, "kept": 5, "dropped": {"duplicate": 1}}
    ids = made.train["pair_id"].to_pylist()
    assert len(set(ids)) == len(ids)


def test_nothing_to_rank_is_said_with_the_reasons(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [TOO_LONG, TOO_LONG + "er"])
    with pytest.raises(UserError, match=r"No pair is left to rank"):
        make(fake_recipe(path, policy__max_model_len=CONTEXT), tmp_path / "run")


def test_more_than_there_is_is_refused_after_the_rows_are_safe(source: Path, tmp_path: Path, made: Made) -> None:
    with pytest.raises(UserError, match=r"k is 10000 but the set .* pairs"):
        make(_recipe(source, selection__k=10_000), tmp_path)
    assert make(_recipe(source), tmp_path).calls == NO_CALLS


def test_a_later_iteration_lies_beside_the_first(made: Made, source: Path) -> None:
    second = make(_recipe(source, sampling__seed=7), _run_of(made), iteration=2)
    assert second.folder.parents[1].name == "iteration-2"
    assert set(second.train["iteration"].to_pylist()) == {2}
    assert second.calls["rewrite"] == made.calls["rewrite"]
    of_x = [[row["prompt_id"] for row in one.train.to_pylist() if row["source"] == "initial"] for one in (made, second)]
    assert of_x[0] == of_x[1]  # X is the same (Section 4.4): only the policy moves


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
        jobs = list(run.grower.jobs(set(run.prompts), set(run.prompts)))
        await run.grower.run(engine, FakeChat(), iter(jobs[::-1]))

    with run.pool.growing():
        asyncio.run(grow())
    run.pool.close()


def test_of_equal_rewrites_the_first_in_order_stays_whoever_was_done_first(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [*map(prompt, range(6)), "Describe the glacier in winter."])
    recipe = fake_recipe(path, evolve__strategies=["deepen", "breadth"], policy__in_flight=1, selection__metric="eva")
    _grow_backwards(recipe, tmp_path / "run")
    made = make(recipe, tmp_path / "run")
    assert made.calls == NO_CALLS | {"reward": made.calls["reward"]}
    assert _balanced(made.manifest)["evol_instruct"] == {"in": 14, "kept": 1, "dropped": {"duplicate": 13}}
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
    rows = _balanced(make(recipe, tmp_path / "run").manifest)
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
    assert find_dataset(tmp_path / "run", 1, fake_recipe(source, reward__model="fake:5")) == other.folder
