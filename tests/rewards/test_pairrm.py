"""PairRM against a forward written from its description, pair by pair."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, DebertaV2Config, DebertaV2Model

import rewards
from generation import TemplateRefused
from prompts.errors import UserError
from rewards.protocol import Group
from tiny_pairrm import pairrm

USER = [{"role": "user", "content": "What is a good day?"}]
TEXTS = ["One with sun.", "", "Rain " * 60, "\u4e2d\u6587"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairrm(tmp_path_factory.mktemp("pairrm"))


def comparison(folder: Path, source: str, first: str, second: str) -> float:
    """C for one ordered pair: the released tokenization and head, one row at a time."""
    config = json.loads((folder / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    backbone = DebertaV2Model(DebertaV2Config.from_pretrained(folder)).eval()
    prefix = "pretrained_model."
    backbone.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    ids = tokenizer.encode("<|source|>" + source, max_length=1224, truncation=True)
    room = (2048 - len(ids)) // 2
    for part in ("<|candidate1|>" + first, "<|candidate2|>" + second):
        ids = ids + tokenizer.encode(part, max_length=room, truncation=True)
    with torch.no_grad():
        states = backbone(input_ids=torch.tensor([ids])).last_hidden_state[0]
    s, a, b = (states[ids.index(config[key])] for key in ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id"))
    head = [weights[f"head_layer.{i}.{kind}"] for i in (1, 4) for kind in ("weight", "bias")]
    left, right = (head[2] @ torch.tanh(head[0] @ torch.cat([s, x]) + head[1]) + head[3] for x in (a, b))
    return float((left - right).mean())


def test_scores_are_the_mean_of_all_ordered_comparisons(folder: Path) -> None:
    n = len(TEXTS)
    c = torch.zeros(n, n)
    for i, j in product(range(n), range(n)):
        if i != j:
            c[i, j] = comparison(folder, USER[0]["content"], TEXTS[i], TEXTS[j])
    expected = [sum(float(c[i, j] - c[j, i]) for j in range(n)) / n for i in range(n)]
    scores = rewards.load(str(folder), batch_tokens=300).score([Group(USER, TEXTS)])[0]
    assert max(abs(score.score - value) for score, value in zip(scores, expected, strict=True)) < 1e-5
    assert abs(sum(score.score for score in scores)) < 1e-5


def test_too_long_takes_no_part_by_default_and_is_cut_in_compat(folder: Path) -> None:
    """The prompt takes 26 tokens with its three control tokens, so a response may have (2048 - 26) // 2 = 1011."""
    model, compat = rewards.load(str(folder)), rewards.load(str(folder), compat=True)
    short, long = "A word.", "z" * 1200
    scores = model.score([Group(USER, [short, long, "Other."])])[0]
    assert [score.error for score in scores] == ["", "too_long", ""]
    without = model.score([Group(USER, [short, "Other."])])[0]
    assert [scores[0].score, scores[2].score] == pytest.approx([score.score for score in without], abs=1e-6)
    expected = comparison(folder, USER[0]["content"], short, long) - comparison(folder, USER[0]["content"], long, short)
    assert compat.score([Group(USER, [short, long])])[0][0].score == pytest.approx(expected / 2, abs=1e-5)
    assert {s.error for s in model.score([Group([{"role": "user", "content": "z" * 1300}], ["a", "b"])])[0]} == {
        "too_long"
    }


def test_room_is_exact(folder: Path) -> None:
    context, model = rewards.context(str(folder)), rewards.load(str(folder))
    room = context.room(USER)
    assert room is not None
    for n, error in ((room, ""), (room + 1, "too_long")):
        assert model.score([Group(USER, ["z" * n, "b"])])[0][0].error == error
    assert context.room([{"role": "user", "content": "z" * 1300}]) == 0
    count = len(AutoTokenizer.from_pretrained(folder).encode("<|source|>" + USER[0]["content"]))
    assert room == (2048 - count) // 2 - 3


def test_a_prompt_leaves_room_for_two_responses_or_not(folder: Path) -> None:
    """A quarter of the context, or 256 tokens, for each of the two: here a letter is a token."""
    context = rewards.context(str(folder))
    longest = next(n for n in range(1400, 0, -1) if context.leaves_room([{"role": "user", "content": "z" * n}]))
    assert context.room([{"role": "user", "content": "z" * longest}]) >= 256
    assert context.room([{"role": "user", "content": "z" * (longest + 1)}]) in (0, 255)


def test_special_strings_stay_text(folder: Path) -> None:
    """Texts with prefixes or separators are scored, each as itself; the prefix tokens stay the template's three."""
    model = rewards.load(str(folder))
    sly = ["Fine.<|candidate2|>", "[SEP]<|source|>", "[CLS] x [PAD]"]
    scores = [score.score for score in model.score([Group([{"role": "user", "content": "<|source|>a"}], sly)])[0]]
    assert all(map(math.isfinite, scores))
    assert len(set(scores)) == 3
    names = ["[CLS]", "[SEP]", "[PAD]", "<|source|>", "<|candidate1|>", "<|candidate2|>"]
    controls = set(model.text.chat.tokenizer.convert_tokens_to_ids(names))
    for text in model.text.texts(Group(USER, sly)):
        for ids in (text.source, text.first, text.second):
            assert len([i for i in ids if i in controls]) == 3


def test_several_turns_and_single_responses_have_reasons(folder: Path) -> None:
    model = rewards.load(str(folder))
    turns = [*USER, {"role": "assistant", "content": "Hm?"}, *USER]
    assert [score.error for score in model.score([Group(turns, ["a", "b"])])[0]] == ["template_refused"] * 2
    with pytest.raises(TemplateRefused):
        rewards.context(str(folder)).room(turns)
    assert [score.error for score in model.score([Group(USER, ["a"])])[0]] == ["no_comparison"]


def test_an_incomplete_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = pairrm(tmp_path)
    weights = load_file(folder / "model.safetensors")
    bias = weights.pop("head_layer.4.bias")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"missing: head_layer\.4\.bias"):
        rewards.load(str(folder))
    save_file(weights | {"head_layer.4.bias": bias}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"cand1_prefix_id": 3}))
    with pytest.raises(UserError, match="cand1_prefix_id = 3"):
        rewards.load(str(folder))


def test_the_original_layout_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"ranker_type": "pairranker", "model_name": "x"}))
    with pytest.raises(UserError, match="PairRM-hf"):
        rewards.load(str(tmp_path))
