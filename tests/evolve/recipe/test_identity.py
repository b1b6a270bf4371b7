"""Ids of samplers and reward models: the same content has the same id, anything that moves an output another."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from evolve.recipe.definite import definite
from evolve.recipe.fingerprint import fingerprint
from evolve.recipe.identity import rewards_of, sampler_of
from evolve.recipe.loading import override_recipe
from generation.device import has_gpu
from prompts.errors import UserError
from tests.tiny_models import armorm

BASE = {"name": "x", "prompts": {"source": "x.jsonl"}, "policy": {"model": "fake"}, "reward": {"model": "fake"}}


def recipe(**settings: Any) -> Any:
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in BASE.items()}
    return override_recipe(data, {key.replace("__", "."): value for key, value in settings.items()}, "the test")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return armorm(tmp_path_factory.mktemp("models") / "a")


def test_a_model_is_its_files_wherever_they_lie(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "elsewhere")
    (copy / "README.txt").write_text("no part of the model")
    assert fingerprint(str(copy)) == fingerprint(str(model))
    assert fingerprint(str(armorm(tmp_path / "other", seed=1))) != fingerprint(str(model))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json", "model.safetensors"])
def test_a_changed_file_is_another_model(model: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    before = fingerprint(str(copy))
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")
    assert fingerprint(str(copy)) != before


def test_a_folder_without_weights_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds no model"):
        fingerprint(str(tmp_path))


@pytest.mark.parametrize(
    "setting",
    [
        {"sampling__temperature": 0.7},
        {"sampling__top_p": 0.9},
        {"sampling__max_tokens": 64},
        {"sampling__seed": 1},
        {"policy__dtype": "bfloat16"},
        {"policy__max_model_len": 512},
        {"policy__engine": {"quantization": "fp8"}},
    ],
)
def test_what_moves_a_sample_is_in_the_samplers_id(setting: dict[str, Any]) -> None:
    assert sampler_of(recipe(**setting)).id != sampler_of(recipe()).id


def test_what_auto_stands_for_is_in_the_id_not_auto(model: Path) -> None:
    """Rows of a CPU in float32 and of a GPU in bfloat16 are not the same rows."""
    automatic = definite(recipe(policy__model=str(model), reward__model=str(model)))
    assert (automatic.policy.dtype, automatic.reward.dtype) == (("bfloat16",) if has_gpu() else ("float32",)) * 2
    plain = recipe(policy__model=str(model), reward__model=str(model), policy__dtype="float32", reward__dtype="float32")
    if not has_gpu():
        assert sampler_of(definite(plain)).id == sampler_of(automatic).id
        assert rewards_of(definite(plain))[0].id == rewards_of(automatic)[0].id


def test_the_engine_and_its_version_are_in_the_id(model: Path) -> None:
    settings = sampler_of(recipe(policy__model=str(model))).settings
    assert re.fullmatch(r"vllm \d+\.\d+\.\d+.*", settings["engine_version"])


@pytest.mark.parametrize("setting", [{"sampling__n": 8}, {"selection__metric": "eva"}, {"policy__in_flight": 7}])
def test_what_does_not_move_a_sample_is_not(setting: dict[str, Any]) -> None:
    assert sampler_of(recipe(**setting)).id == sampler_of(recipe()).id


def test_reward_models_differ_by_model_precision_and_mode(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [
        recipe(),
        recipe(reward__model="fake:1"),
        recipe(reward__model=str(model)),
        recipe(reward__model=str(model), reward__dtype="bfloat16"),
        recipe(reward__model=str(model), reward__compat=True),
        recipe(reward__model="openai:judge"),
    ]
    ids = {rewards_of(one)[0].id for one in variants}
    assert len(ids) == len(variants)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")
    judged = definite(variants[-1])
    assert rewards_of(judged)[0].id not in ids  # another server is another judge
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert definite(variants[-1], earlier=judged) == judged  # kept for the run, whatever the next shell says
    assert rewards_of(recipe(reward__batch_tokens=64))[0].id in ids
