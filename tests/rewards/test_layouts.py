"""Reward models with heads of their own: equal to an independent forward, and their traps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import batch_norm, selu
from transformers import AutoTokenizer, LlamaConfig, LlamaModel

import rewards
from places import ROOT
from rewards.checkpoint_model import ConversationModel
from rewards.gated import HEADER
from rewards.protocol import Group, Score
from tiny_rewards import grm, inform, qrm, urm

USER = [{"role": "user", "content": "Name three colours."}]
MULTI = [*USER, {"role": "assistant", "content": "Red."}, {"role": "user", "content": "Two more, please."}]
TEXTS = ["Blue, green.", "", "word " * 300, "\u00e9\u4e2d \U0001f600", "one two three " * 20]
MAKERS: dict[str, Callable[..., Path]] = {"qrm": qrm, "urm": urm, "inform": inform, "grm": grm}


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}


def template_ids(folder: Path, messages: list[dict[str, str]], response: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": response}], return_dict=False)


def states_of(folder: Path, ids: list[int]) -> torch.Tensor:
    backbone = LlamaModel(LlamaConfig.from_pretrained(folder)).eval()
    body = {k.removeprefix("model."): v for k, v in weights_of(folder).items() if k.startswith("model.")}
    backbone.load_state_dict(body)
    with torch.no_grad():
        return backbone(input_ids=torch.tensor([ids])).last_hidden_state[0]


def linear(w: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    y = w[f"{name}.weight"] @ x
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def by_hand_inform(folder: Path, ids: list[int]) -> Score:
    w, h = weights_of(folder), states_of(folder, ids)[-1]
    return Score(float(linear(w, "score.2", linear(w, "score.0", h).clamp(min=0))))


def by_hand_grm(folder: Path, ids: list[int]) -> Score:
    w, h = weights_of(folder), states_of(folder, ids)[-1]
    return Score(float(linear(w, "v_head.summary.2", linear(w, "v_head.summary.0", h).clamp(min=0))))


def by_hand_urm(folder: Path, ids: list[int]) -> Score:
    w, h = weights_of(folder), states_of(folder, ids)[-1]
    means = (w["score.weight"] @ h)[0::2]
    gate = linear(w, "weights.fc.4", selu(linear(w, "weights.fc.2", selu(linear(w, "weights.fc.0", h)))))
    return Score(float(means @ gate), tuple(means.tolist()), tuple(gate.tolist()))


def by_hand_qrm(folder: Path, ids: list[int]) -> Score:
    """Objective by objective and quantile by quantile, in the words of the released class."""
    w, states = weights_of(folder), states_of(folder, ids)
    config = json.loads((folder / "config.json").read_text())
    pattern = AutoTokenizer.from_pretrained(folder)(HEADER, add_special_tokens=False)["input_ids"]
    x = states[max(j for j in range(len(ids)) if ids[j : j + len(pattern)] == pattern)]
    for i in (0, 3, 6):
        x = (w[f"gating.layers.{i}.weight"] @ x).clamp(min=0)
        norm = [w[f"gating.layers.{i + 2}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        x = batch_norm(x[None], *norm)[0]
    gate = torch.softmax(linear(w, "gating.layers.9", x) / config["gating_temperature"], 0) * w["gating.logit_scale"]
    n, k = config["num_objectives"], config["num_quantiles"]
    rows = [w["regression_layer.weight"][j * k : (j + 1) * k] @ states[-1] for j in range(n)]
    quantiles = []
    for q in range(k):
        adjusted = torch.stack([row[q] for row in rows]) @ w["reward_transform_matrix"]
        quantiles.append(float(gate @ adjusted))
    score = sum(quantiles) / k
    spread = (sum((q - score) ** 2 for q in quantiles) / k) ** 0.5
    means = tuple(float(row.mean()) for row in rows)
    return Score(score, means, tuple(gate.tolist()), "", tuple(sorted(quantiles)), spread)


BY_HAND = {"qrm": by_hand_qrm, "urm": by_hand_urm, "inform": by_hand_inform, "grm": by_hand_grm}


def close(a: Score, b: Score, tolerance: float = 1e-5) -> bool:
    numbers = [
        (s.score, *s.objectives, *s.weights, *s.quantiles, *((s.spread,) if s.spread is not None else ()))
        for s in (a, b)
    ]
    return not a.error and all(abs(x - y) <= tolerance for x, y in zip(*numbers, strict=True))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("messages", [USER, MULTI])
def test_scores_equal_an_independent_forward(tmp_path: Path, name: str, messages: list[dict[str, str]]) -> None:
    folder = MAKERS[name](tmp_path)
    model = rewards.load(str(folder), batch_tokens=700)
    for text, score in zip(TEXTS, model.score([Group(messages, TEXTS)])[0], strict=True):
        assert close(score, BY_HAND[name](folder, template_ids(folder, messages, text)))


@pytest.mark.parametrize("name", MAKERS)
def test_batched_packed_or_padded_equals_one_by_one(tmp_path: Path, name: str) -> None:
    folder = MAKERS[name](tmp_path)
    build = type(rewards.load(str(folder)))
    assert issubclass(build, ConversationModel)
    groups = [Group(USER, TEXTS), Group(MULTI, TEXTS[::-1])]
    how: dict[str, Any] = {"name": "t", "dtype": torch.float32, "device": torch.device("cpu")}
    alone = build(folder, batch_tokens=1, layout="padded", **how)
    apart = [[alone.score([Group(one.messages, [text])])[0][0] for text in one.responses] for one in groups]
    for layout in ("padded", "packed", "shared"):
        for batch_tokens in (300, 20_000):
            together = build(folder, batch_tokens=batch_tokens, layout=layout, **how).score(groups)
            for a, b in zip(together, apart, strict=True):
                assert all(map(close, a, b))


# The traps that these models share, one by one.


@pytest.mark.parametrize("name", ["inform", "urm", "qrm"])
def test_the_released_classes_read_before_the_first_pad_and_we_read_the_end(tmp_path: Path, name: str) -> None:
    """A text with the padding token: by default it is text; compat parses it and reads the token before."""
    folder = MAKERS[name](tmp_path)
    text = "BERT pads with [PAD] and goes on"
    ours, released = (rewards.load(str(folder), compat=mode).rows(Group(USER, [text]))[0] for mode in (False, True))
    pad = json.loads((folder / "config.json").read_text())["pad_token_id"]
    assert pad not in ours.ids
    assert ours.reads[-1] == len(ours.ids) - 1
    assert released.ids == template_ids(folder, USER, text)
    assert released.reads[-1] == released.ids.index(pad) - 1
    score = rewards.load(str(folder), compat=True).score([Group(USER, [text])])[0][0]
    if name == "inform":
        assert close(score, by_hand_inform(folder, released.ids[: released.ids.index(pad)]))


def test_batch_norms_use_their_running_figures(tmp_path: Path) -> None:
    """In training mode a batch norm would use the batch's: then a score would depend on its neighbours."""
    model = rewards.load(str(qrm(tmp_path)))
    alone = model.score([Group(USER, ["Blue."])])[0][0]
    beside = model.score([Group(USER, ["Blue."]), Group(MULTI, TEXTS)])[0][0]
    assert close(alone, beside)


def test_quantiles_are_those_of_the_score(tmp_path: Path) -> None:
    model = rewards.load(str(qrm(tmp_path, n_quantiles=7)))
    for score in model.score([Group(USER, TEXTS)])[0]:
        assert len(score.quantiles) == 7
        assert list(score.quantiles) == sorted(score.quantiles)
        assert score.score == pytest.approx(sum(score.quantiles) / 7, abs=1e-5)
        assert score.spread is not None
        assert score.spread > 0


@pytest.mark.parametrize("lm_head", [True, False])
def test_a_value_head_of_one_layer_and_no_language_head(tmp_path: Path, lm_head: bool) -> None:
    folder = grm(tmp_path, single=True, lm_head=lm_head)
    score = rewards.load(str(folder)).score([Group(USER, ["Blue."])])[0][0]
    w, h = weights_of(folder), states_of(folder, template_ids(folder, USER, "Blue."))[-1]
    assert close(score, Score(float(linear(w, "v_head.summary", h))))


@pytest.mark.parametrize("name", MAKERS)
def test_heads_are_never_rounded(tmp_path: Path, name: str) -> None:
    low: Any = rewards.load(str(MAKERS[name](tmp_path)), dtype="bfloat16")
    heads = low.heads if name == "qrm" else low.head
    assert {p.dtype for p in heads.parameters()} == {torch.float32}
    assert low.reader.backbone.dtype == torch.bfloat16


@pytest.mark.parametrize("name", MAKERS)
def test_loading_one_alarms_nobody(tmp_path: Path, name: str) -> None:
    """transformers reports a head that it does not know as unexpected, as it would a fault."""
    folder = MAKERS[name](tmp_path)
    code = f"import rewards; rewards.load({str(folder)!r})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "UNEXPECTED" not in told.stderr + told.stdout
