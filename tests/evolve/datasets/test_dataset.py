"""What a finished dataset holds: columns, manifest, card, and its numbers computed a second way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evolve.datasets.train import SCHEMA
from fake_runs import SOME_LEAVE, Made, make, pool_rows, some_leave


def test_scores_and_scale_computed_a_second_way(made: Made, source: Path) -> None:
    """M_AP, sigma, the threshold, ranks and means from the columns of the whole D' alone."""
    whole = make(some_leave(source, selection__k="100%"), made.run, view_only=True).selected
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
    rows = pool_rows(made.run)
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
        assert row["selected"] == (None if initial else True)
        assert row["iteration"] == 1
        assert [turn["role"] for turn in row["prompt"]] == ["user"]
    assert [row["prompt"][0]["content"] for row in rows[:n_initial]] == SOME_LEAVE[:n_initial]
    assert len({row["pair_id"] for row in rows}) == len({row["prompt_id"] for row in rows}) == len(rows)
    parents = {row["prompt_id"] for row in rows[:n_initial]}
    assert {row["parent_id"] for row in rows[n_initial:]} <= parents
    assert rows[n_initial:] == made.selected.to_pylist()


def test_what_the_manifest_holds(made: Made, source: Path) -> None:
    manifest = made.manifest
    assert manifest["recipe"] == json.loads(some_leave(source).model_dump_json())
    assert manifest["iteration"] == 1
    assert {"python", "pyarrow", "numpy"} <= manifest["versions"].keys()
    assert manifest["sampler"]["engine_description"]["logprobs_mode"] == "raw_logprobs"
    assert manifest["sampler"]["fingerprint"] == "fake"
    assert {one["fingerprint"] for one in manifest["rewards"]} == {"fake"}
    assert set(manifest["templates"]) == {"constraints", "deepen", "concretize", "reasoning", "breadth"}
    assert {"prompts", "generate", "reward", "write"} <= manifest["stages"].keys()
    assert manifest["stages"]["generate"]["tokens"] > 0
    responses = [row for row in map(json.loads, pool_rows(made.run)["responses"]) if not row["error"]]
    rewrites = map(json.loads, pool_rows(made.run)["prompts"])
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
    assert "path: train.parquet" in card.split("---")[1]


def test_the_card_says_which_rows_have_a_standing(made: Made, source: Path, tmp_path: Path) -> None:
    assert "prompts (D) they are null" in (made.folder / "README.md").read_text(encoding="utf-8")
    other = make(some_leave(source, algorithm="select-then-evolve"), tmp_path / "run")
    text = (other.folder / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert "rows of D'_k, the pairs of the rewrites" in text
    assert "these pairs were not ranked, the pairs of their parents (`parent_id`) were" in text
    rows = other.selected.to_pylist()
    assert rows
    assert all(row[name] is None for row in rows for name in ("metric_score", "rank", "selected"))


def test_names_make_no_markup_in_the_card(made: Made) -> None:
    from evolve.datasets.card import card

    manifest = json.loads(json.dumps(made.manifest))
    evil = "a`b\n# <script>\x1b[2J"
    manifest["recipe"]["policy"]["model"] = manifest["recipe"]["prompts"]["source"] = evil
    manifest["rewards"][0]["reward"] = evil
    manifest["rows"]["prompts"]["dropped"] = {"<b>|\n": 1}
    text = card(manifest)
    assert text.count(r"``a`b\n# <script>\x1b[2J``") == 0
    assert text.count(r"`` a`b\n# <script>\x1b[2J ``") == 3
    assert "\x1b" not in text
    assert "\n# <script>" not in text
    assert r"&lt;b&gt;\|\\n 1" in text or r"&lt;b&gt;\|\n 1" in text
