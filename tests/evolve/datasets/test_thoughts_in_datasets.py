"""A policy that thinks: answers are scored and paired, and the recipe says whether training text carries thoughts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evolve.exports.export import export
from evolve.exports.forms import FORMS
from evolve.exports.responses import write as write_responses
from evolve.pool.pool import Pool
from evolve.recipe.sections import Recipe
from evolve.run import Run
from fake_runs import NO_CALLS, Made, fake_recipe, make, prompt, write_source

TAGS = ("<think>", "</think>")


def thinking(source: Path, **settings: Any) -> Recipe:
    return fake_recipe(source, policy__thought_tags=list(TAGS), **settings)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [*map(prompt, range(12))])


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(thinking(source), tmp_path_factory.mktemp("runs") / "run")


def stored(made: Made) -> dict[str, dict[str, Any]]:
    pool = Pool(made.run / "pool")
    rows = [
        row
        for one in pool.sampler_ids()
        for part in pool.responses(one).scan(pool.responses(one).schema.names)
        for row in part.to_pylist()
    ]
    pool.close()
    return {row["id"]: row for row in rows}


def test_thoughts_are_kept_beside_the_answers(made: Made) -> None:
    rows = stored(made).values()
    assert len(rows) > 100
    for row in rows:
        assert row["thoughts"].startswith("<think>")
        assert row["thoughts"].endswith("</think>\n\n")
        assert "think>" not in row["text"]
        assert 0 < row["thought_tokens"] < row["n_tokens"]
        assert row["logp"] < row["thought_logp"] < 0


def test_pairs_are_of_the_answers_and_of_their_tokens(made: Made) -> None:
    rows = stored(made)
    for pair in made.train.to_pylist():
        for side in ("chosen", "rejected"):
            row = rows[pair[f"{side}_id"]]
            assert pair[side] == [{"role": "assistant", "content": row["text"]}]
            assert pair[f"n_tokens_{side}"] == row["n_tokens"] - row["thought_tokens"]
            assert pair[f"logp_{side}"] == pytest.approx(row["logp"] - row["thought_logp"])
    card = (made.folder / "README.md").read_text()
    assert "thinks before it answers" in card
    assert "answers alone" in card


def test_a_recipe_may_let_training_text_carry_them(made: Made, source: Path) -> None:
    """A view: nothing is sampled or scored again, and the dataset lies beside the other."""
    other = make(thinking(source, selection__with_thoughts=True), made.run, view_only=True)
    assert other.calls == NO_CALLS
    assert other.folder.name == f"{made.folder.name}-with_thoughts"
    rows = stored(made)
    for pair in other.train.to_pylist():
        for side in ("chosen", "rejected"):
            row = rows[pair[f"{side}_id"]]
            assert pair[side][0]["content"] == row["thoughts"] + row["text"]
            assert pair[f"n_tokens_{side}"] == row["n_tokens"]
            assert pair[f"logp_{side}"] == pytest.approx(row["logp"])
    assert "carry thoughts and answer" in (other.folder / "README.md").read_text()
    assert (made.folder / "train.parquet").is_file()


def test_rewrites_are_answers_too(made: Made) -> None:
    for pair in made.train.to_pylist():
        assert "think>" not in json.dumps(pair["prompt"])


def test_a_policy_that_thinks_is_another_sampler(made: Made, source: Path, tmp_path: Path) -> None:
    plain = make(fake_recipe(source), tmp_path / "run")
    assert plain.manifest["sampler"]["id"] != made.manifest["sampler"]["id"]
    assert all(row["thoughts"] is None for row in stored(plain).values())
    assert "over the tokens of the response as sampled" in (plain.folder / "README.md").read_text()


@pytest.mark.parametrize("form", [form for form in FORMS if form != "text"])
@pytest.mark.parametrize("with_thoughts", [False, True])
def test_exports_carry_what_the_dataset_does(
    form: str, with_thoughts: bool, made: Made, source: Path, tmp_path: Path
) -> None:
    recipe = thinking(source, selection__with_thoughts=with_thoughts)
    make(recipe, made.run, view_only=True)
    export(Run(recipe, made.run, view_only=True), form, tmp_path / "out")
    path = tmp_path / "out" / "fake.jsonl" if form == "llamafactory" else tmp_path / "out"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines
    for line in lines:
        assert line.count("</think>\\n\\n") == line.count("<think>")
        assert ("<think>" in line) == with_thoughts


def test_responses_carry_thoughts_beside_the_answers(made: Made, source: Path, tmp_path: Path) -> None:
    write_responses(Run(thinking(source), made.run, view_only=True), tmp_path / "responses.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "responses.jsonl").read_text().splitlines()]
    assert all(row["thoughts"].startswith("<think>") and "think>" not in row["response"] for row in rows)
