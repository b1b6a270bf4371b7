"""The program as a library: its names, and whole runs through them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import evolve
from evolve import Dataset, UserError, grow, load_recipe, open_dataset, select
from fake_runs import NO_CALLS, balanced, fake_recipe, prompt, write_source
from places import ROOT

HEAVY = ("torch", "vllm", "transformers", "datasets", "pyarrow", "numpy", "pydantic", "trl")
FAKES = {"policy.model": "fake", "reward.model": "fake", "prompts.limit": 12}


def test_the_public_surface_is_what_the_documents_list() -> None:
    page = (ROOT / "docs" / "reference" / "library.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == sorted(evolve.__all__)
    assert all(getattr(evolve, name).__name__ == name for name in evolve.__all__)
    assert {member for member in vars(Dataset) if not member.startswith("_")} == set(
        re.findall(r"^### Dataset\.(\w+)$", page, re.MULTILINE)
    )


def test_another_name_is_told_the_names_there_are() -> None:
    with pytest.raises(AttributeError, match="has Dataset, Recipe, UserError, grow"):
        evolve.sample  # noqa: B018


def test_the_public_names_load_nothing_heavy() -> None:
    code = f"import sys, evolve; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_whole_run_and_its_pairs(tmp_path: Path) -> None:
    made = grow(load_recipe("default", FAKES), tmp_path / "run")
    books = balanced(made.manifest)
    assert made.manifest["recipe"]["name"] == "default"
    assert books["prompts"]["kept"] == 12
    pairs = list(made.pairs())
    assert len(pairs) == books["train"]["kept"] > 12
    assert {pair["source"] for pair in pairs} == {"initial", "evolved"}
    for pair in pairs:
        assert [pair["prompt"][-1]["role"], pair["chosen"][0]["role"], pair["rejected"][0]["role"]] == [
            "user",
            "assistant",
            "assistant",
        ]
        assert pair["score_chosen"] > pair["score_rejected"]
    selected = list(made.pairs("selected"))
    assert len(selected) == books["selection"]["kept"]
    assert selected == [pair for pair in pairs if pair["source"] == "evolved"]

    again = grow(load_recipe("default", FAKES), str(tmp_path / "run"))
    assert again.manifest["model_calls"] == NO_CALLS
    assert list(again.pairs()) == pairs


def test_another_metric_of_the_same_rows(tmp_path: Path) -> None:
    recipe = fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)]))
    made = grow(recipe, tmp_path / "run")
    swapped = select(tmp_path / "run", {"selection.metric": "eva", "selection.k": 5})
    assert swapped.folder != made.folder
    assert swapped.manifest["model_calls"] == NO_CALLS
    margins = [pair["reward_margin"] for pair in swapped.pairs("selected")]
    assert len(margins) == 5
    assert margins == sorted(margins, reverse=True)
    assert select(tmp_path / "run").folder == made.folder


def test_iterations_lie_side_by_side(tmp_path: Path) -> None:
    recipe = fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)]))
    first = grow(recipe, tmp_path / "run")
    second = grow(recipe, tmp_path / "run", iteration=2)
    assert first.folder != second.folder
    assert select(tmp_path / "run", {"selection.metric": "eva"}).manifest["iteration"] == 2
    assert select(tmp_path / "run", {"selection.metric": "eva"}, iteration=1).manifest["iteration"] == 1


def test_a_dataset_is_opened_where_it_lies(tmp_path: Path) -> None:
    recipe = fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)]))
    made = grow(recipe, tmp_path / "run")
    opened = open_dataset(made.folder)
    assert opened.manifest == made.manifest
    assert list(opened.pairs()) == list(made.pairs())


def test_what_a_user_can_mend_is_a_user_error(tmp_path: Path) -> None:
    recipe = fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)]))
    with pytest.raises(UserError, match="No run at"):
        select(tmp_path / "nothing")
    with pytest.raises(UserError, match="No dataset at"):
        open_dataset(tmp_path)
    with pytest.raises(UserError, match="No recipe 'nothing'"):
        load_recipe("nothing")
    grow(recipe, tmp_path / "run")
    with pytest.raises(UserError, match="metrics"):
        select(tmp_path / "run", {"selection.metrics": "eva"})
    with pytest.raises(UserError, match="`evolve run`"):
        select(tmp_path / "run", {"sampling.n": 7})
