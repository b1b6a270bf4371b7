"""Weights of an ArmoRM checkpoint: all of them in their place, or a message."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rewards
from prompts.errors import UserError
from rewards.protocol import Group
from tiny_models import armorm


def rewrite(folder: Path, **changes: torch.Tensor | None) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    for name, tensor in changes.items():
        weights.pop(name, None)
        if tensor is not None:
            weights[name] = tensor
    save_file(weights, file)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("regression_layer.weight", None, "missing: regression_layer.weight"),
        ("gating.layers.3.bias", None, "missing: gating.layers.3.bias"),
        ("model.layers.1.mlp.up_proj.weight", None, "missing: model.layers.1.mlp.up_proj.weight"),
        ("score.weight", torch.zeros(1, 64), "not expected: score.weight"),
        ("lm_head.weight", torch.zeros(5, 64), "not expected: lm_head.weight"),
        ("gating.logit_scale", torch.zeros(2), "gating.logit_scale is [2], expected [1]"),
        ("reward_transform_matrix", torch.zeros(3, 3), "reward_transform_matrix is [3, 3], expected [19, 19]"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, tensor: torch.Tensor | None, words: str
) -> None:
    rewrite(armorm(tmp_path), **{name: tensor})
    with pytest.raises(UserError) as refusal:
        rewards.load(str(tmp_path))
    assert words in str(refusal.value)


def test_stored_rotary_frequencies_are_allowed(tmp_path: Path) -> None:
    rewrite(armorm(tmp_path), **{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8)})
    assert not rewards.load(str(tmp_path)).score([Group([{"role": "user", "content": "Why?"}], ["a"])])[0][0].error
