"""`evolve rewards`: what is known, and what a checkpoint is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evolve.recipe.loading import load_recipe, recipes_folder
from evolve.reports.reward_models import checkpoint_told, known_models
from prompts.errors import UserError
from rewards.catalogue import CATALOGUE
from rewards.layouts import LAYOUTS
from tiny_models import armorm
from tiny_policy import policy
from tiny_rewards import qrm


def test_every_model_has_a_layout_that_is_read() -> None:
    assert len({one.name for one in CATALOGUE}) == len(CATALOGUE)
    for one in CATALOGUE:
        assert one.kind == LAYOUTS[one.layout].kind
    assert {one.layout for one in CATALOGUE} == set(LAYOUTS)


def test_the_table_has_every_model_and_the_recipe_that_uses_it() -> None:
    lines = {line.split()[0]: line for line in known_models().splitlines() if line.strip()}
    for one in CATALOGUE:
        assert one.layout in lines[one.name]
        assert one.licence in lines[one.name]
    for path in recipes_folder().glob("*.toml"):
        model = load_recipe(path.stem).reward.model
        if model in lines:
            assert path.stem in re.split(r"[\s,;]+", lines[model]), path.stem
    assert "llama3-8b" in lines["RLHFlow/ArmoRM-Llama3-8B-v0.1"]


def test_a_checkpoint_is_told_by_its_weights(tmp_path: Path) -> None:
    """Both of these say LlamaForRewardModelWithGating."""
    told = {name: checkpoint_told(str(make(tmp_path / name))) for name, make in (("armorm", armorm), ("qrm", qrm))}
    for name, text in told.items():
        assert f"layout             {name} (" in text
        assert "LlamaForRewardModelWithGating" in text
    assert "layout             principle (" in checkpoint_told(str(policy(tmp_path / "policy")))


def test_nothing_but_headers_is_read(tmp_path: Path) -> None:
    folder = qrm(tmp_path)
    (folder / "tokenizer.json").unlink()
    assert "qrm" in checkpoint_told(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": -1}))
    with pytest.raises(UserError, match="vocab_size"):
        checkpoint_told(str(folder))
