"""A layout is told by its weights, and what does not fit one is refused by the names of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rewards
from prompts.errors import UserError
from rewards.layouts import layout_of
from rewards.protocol import Group
from tiny_models import armorm, scalar
from tiny_policy import policy
from tiny_rewards import grm, inform, qrm, urm

USER = [{"role": "user", "content": "Name three colours."}]
MAKERS: dict[str, Callable[..., Path]] = {"qrm": qrm, "urm": urm, "inform": inform, "grm": grm}


def test_two_layouts_of_one_class_name_are_told_apart(tmp_path: Path) -> None:
    """QRM names ArmoRM's class. What config.json says counts for nothing where the weights say more."""
    a, q = armorm(tmp_path / "a"), qrm(tmp_path / "q")
    assert [json.loads((f / "config.json").read_text())["architectures"] for f in (a, q)] == [
        ["LlamaForRewardModelWithGating"]
    ] * 2
    assert [layout_of(folder).name for folder in (a, q)] == ["armorm", "qrm"]
    for folder in (a, q):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"architectures": ["SomethingElse"]}))
    assert [layout_of(folder).name for folder in (a, q)] == ["armorm", "qrm"]


@pytest.mark.parametrize("name", ["armorm", "qrm", "urm", "inform", "grm", "scalar"])
def test_each_layout_is_told_by_its_weights(tmp_path: Path, name: str) -> None:
    folder = ({"armorm": armorm, "scalar": scalar} | MAKERS)[name](tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["Any"]}))
    assert layout_of(folder).name == name
    assert not rewards.load(str(folder)).score([Group(USER, ["Blue."])])[0][0].error


@pytest.mark.parametrize("name", ["qrm", "urm", "inform", "grm"])
def test_every_weight_has_to_be_there_and_fit(tmp_path: Path, name: str) -> None:
    """Take one tensor of the head away, or add a row to it: refused by its name, never read otherwise."""
    whole = MAKERS[name](tmp_path / "whole")
    weights = load_file(whole / "model.safetensors")
    heads = [key for key in weights if not key.startswith(("model.", "lm_head"))]
    optional = ("num_batches_tracked", "score.0.bias", "score.2.bias", "fc.0.bias", "fc.2.bias", "fc.4.bias")
    optional += ("v_head.summary.0.bias", "v_head.summary.2.bias")
    for i, key in enumerate(heads):
        for change in ("gone", "grown"):
            if (key.endswith(optional) and change == "gone") or key.endswith("num_batches_tracked"):
                continue
            changed = {k: v for k, v in weights.items() if k != key}
            if change == "grown":
                changed[key] = torch.cat([weights[key], weights[key][:1]])
            folder = tmp_path / f"{i}-{change}"
            folder.mkdir()
            for file in whole.iterdir():
                (folder / file.name).write_bytes(file.read_bytes())
            save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
            with pytest.raises(UserError) as refusal:
                rewards.load(str(folder))
            assert str(folder) in str(refusal.value)
            assert "can't be made of what is there" not in str(refusal.value), (key, change)


@pytest.mark.parametrize("name", MAKERS)
def test_a_weight_of_the_backbone_that_is_missing_is_told(tmp_path: Path, name: str) -> None:
    folder = MAKERS[name](tmp_path)
    weights = load_file(folder / "model.safetensors")
    gone = weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"missing: .*layers\.1\.mlp\.up_proj\.weight"):
        rewards.load(str(folder))
    save_file(
        weights | {"model.layers.1.mlp.up_proj.weight": gone, "more.weight": gone.clone()}, folder / "model.safetensors"
    )
    with pytest.raises(UserError, match=r"not expected: more\.weight"):
        rewards.load(str(folder))


def test_a_gated_rest_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = qrm(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_quantiles": 7}))
    with pytest.raises(UserError, match=r"num_quantiles is 7, and the weights have 19"):
        rewards.load(str(folder))
    (folder / "config.json").write_text(json.dumps(config | {"gating_temperature": 0}))
    with pytest.raises(UserError, match="gating_temperature"):
        rewards.load(str(folder))


def test_a_policy_is_no_reward_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no known reward model.*reward\.principle"):
        rewards.load(str(policy(tmp_path)))


def test_code_and_pickles_of_a_checkpoint_are_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = policy(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"auto_map": {"AutoModel": "modeling.Own"}, "architectures": ["OwnReward"]})
    )
    (folder / "heads.pt").write_bytes(b"\x80\x04.")
    (folder / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError, match=r"heads\.pt: pickles can run code.*never run.*reward column"):
        rewards.load(str(folder))
    assert not (tmp_path / "ran").exists()
