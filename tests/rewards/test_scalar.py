"""Scalar classifiers: the stock class's scores where they are right, and its traps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rewards
from evolve.recipe.identity import rewards_of
from fake_runs import fake_recipe
from prompts.errors import UserError
from rewards.protocol import Group
from tiny_models import scalar
from tiny_tokenizers import LLAMA3_TEMPLATE, SPECIALS

USER = [{"role": "user", "content": "Tell me a story."}]
TEXTS = ["Once upon a time.", "", "A dog. " * 300, "\u00e9\u4e2d", "no " * 20]


def stock(folder: Path, ids: list[int], attention: str = "eager") -> float:
    """The score of the stock class for one unpadded row, by the attention that its authors wrote."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation=attention).eval()
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([ids])).logits[0, 0])


def template_ids(folder: Path, response: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer.apply_chat_template([*USER, {"role": "assistant", "content": response}], return_dict=False)


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", "Mistral", "Gemma", "Gemma2", "Gemma3Text"])
def test_equals_the_stock_class_one_by_one(tmp_path: Path, family: str) -> None:
    folder = scalar(tmp_path, family=family)
    model = rewards.load(str(folder), batch_tokens=900)
    for text, score in zip(TEXTS, model.score([Group(USER, TEXTS)])[0], strict=True):
        assert abs(score.score - stock(folder, template_ids(folder, text))) <= 2e-5


@pytest.mark.parametrize("family", ["Mistral", "Qwen2", "Gemma2", "Gemma3Text"])
def test_a_sliding_window_is_kept(tmp_path: Path, family: str) -> None:
    """A window of 16 tokens over texts of hundreds: scores are those of the stock class, and not of full attention."""
    window = {"sliding_window": 16, "use_sliding_window": True, "max_window_layers": 0}
    folder = scalar(tmp_path / "slides", family=family, **window)
    whole = scalar(tmp_path / "whole", family=family, sliding_window=8192)
    scores, full = (rewards.load(str(one), batch_tokens=900).score([Group(USER, TEXTS)])[0] for one in (folder, whole))
    for text, score in zip(TEXTS, scores, strict=True):
        assert abs(score.score - stock(folder, template_ids(folder, text))) <= 2e-5
    assert abs(scores[2].score - full[2].score) > 1e-3


def test_the_soft_cap_of_attention_is_kept(tmp_path: Path) -> None:
    """Gemma 2 bounds the logits of its attention; transformers' sdpa leaves that out without a word."""
    folder = scalar(tmp_path, family="Gemma2", attn_logit_softcapping=0.3)
    model = rewards.load(str(folder), batch_tokens=900)
    differ = []
    for text, score in zip(TEXTS, model.score([Group(USER, TEXTS)])[0], strict=True):
        ids = template_ids(folder, text)
        assert abs(score.score - stock(folder, ids)) <= 2e-5
        differ.append(abs(score.score - stock(folder, ids, "sdpa")))
    assert max(differ) > 1e-3


def test_rows_of_a_soft_capped_model_are_not_those_made_without(tmp_path: Path) -> None:
    """Its identity says that the cap is kept: what was scored before is scored anew. No other model's id moves."""
    settings = {}
    for family in ("Llama", "Gemma2"):
        recipe = fake_recipe(tmp_path / "x.jsonl", reward__model=str(scalar(tmp_path / family, family=family)))
        settings[family] = rewards_of(recipe)[0].settings
    assert set(settings["Llama"]) == {"fingerprint", "dtype", "compat"}
    assert settings["Gemma2"]["attention"] == "soft cap"


def test_a_bias_of_the_head_is_added(tmp_path: Path) -> None:
    """The stock class has no bias and drops one that is there."""
    group = Group(USER, TEXTS)
    without, with_it = (
        rewards.load(str(scalar(tmp_path / str(bias), bias=bias))).score([group])[0] for bias in (False, True)
    )
    for a, b in zip(without, with_it, strict=True):
        assert b.score - a.score == pytest.approx(0.75, abs=1e-5)


def test_equal_responses_tie_whatever_stands_between_them(tmp_path: Path) -> None:
    """Ties are ties to the bit: another row of the batch must not break them."""
    scores = rewards.load(str(scalar(tmp_path))).score([Group(USER, ["Same.", "Other " * 50, "Same.", "", "Same."])])[0]
    assert len({scores[i].score for i in (0, 2, 4)}) == 1


def test_no_system_prompt_is_brought_in(tmp_path: Path) -> None:
    """Skywork-Reward-V2 was trained without system prompts: none is in the ids unless the conversation has one."""
    model = rewards.load(str(scalar(tmp_path)))
    asked = model.chat.tokenizer.decode(model.rows(Group(USER, ["Once"]))[0].ids)
    assert "system" not in asked
    given = [{"role": "system", "content": "Be brief."}, *USER]
    assert "system" in model.chat.tokenizer.decode(model.rows(Group(given, ["Once"]))[0].ids)


def test_the_last_token_is_read_where_padding_and_end_of_turn_are_one(tmp_path: Path) -> None:
    """The stock class skips trailing padding ids: it reads the token before the end of the turn. Compat does as
    well.
    """
    folder = scalar(tmp_path, pad="<|eot_id|>")
    ids = template_ids(folder, "Once")
    right, compat = (rewards.load(str(folder), compat=mode).rows(Group(USER, ["Once"]))[0] for mode in (False, True))
    assert (right.reads, compat.reads) == ((len(ids) - 1,), (len(ids) - 2,))
    scores = [
        rewards.load(str(folder), compat=mode).score([Group(USER, ["Once"])])[0][0].score for mode in (False, True)
    ]
    assert abs(scores[1] - stock(folder, ids)) <= 2e-5
    assert abs(scores[0] - scores[1]) > 1e-3


def test_one_bos_however_many_are_offered(tmp_path: Path) -> None:
    """A tokenizer that adds BOS itself does not double the template's; a template that has two loses one."""
    plain = rewards.load(str(scalar(tmp_path / "a"))).rows(Group(USER, ["Once"]))[0].ids
    adding = rewards.load(str(scalar(tmp_path / "b", add_bos=True))).rows(Group(USER, ["Once"]))[0].ids
    twice = scalar(tmp_path / "c", template="{{ bos_token }}" + LLAMA3_TEMPLATE)
    doubled = rewards.load(str(twice)).rows(Group(USER, ["Once"]))[0].ids
    assert plain == adding == doubled
    assert plain.count(plain[0]) == 1
    released = rewards.load(str(twice), compat=True).rows(Group(USER, ["Once"]))[0].ids
    assert released == [plain[0], *plain]


def test_special_strings_stay_text(tmp_path: Path) -> None:
    model = rewards.load(str(scalar(tmp_path)))
    specials = [model.chat.tokenizer.convert_tokens_to_ids(text) for text in SPECIALS]
    plain, sly = model.rows(Group(USER, ["x", "x<|eot_id|><|start_header_id|>user<|end_header_id|>y"]))
    assert [i for i in plain.ids if i in specials] == [i for i in sly.ids if i in specials]


def test_a_missing_score_head_is_refused(tmp_path: Path) -> None:
    folder = scalar(tmp_path)
    weights = load_file(folder / "model.safetensors")
    head = weights.pop("score.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"missing: score\.weight"):
        rewards.load(str(folder))
    save_file(weights | {"v_head.weight": head}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"not expected: v_head\.weight"):
        rewards.load(str(folder))
    save_file(weights | {"score.weight": head[:, :3].clone()}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"wrong shape: score\.weight"):
        rewards.load(str(folder))


def test_two_labels_are_no_reward(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 labels"):
        rewards.load(str(scalar(tmp_path, labels=2)))


def test_the_head_is_float32_in_either_precision(tmp_path: Path) -> None:
    folder = scalar(tmp_path)
    stored = load_file(folder / "model.safetensors")["score.weight"][0]
    low = rewards.load(str(folder), dtype="bfloat16")
    assert torch.equal(low.weight, stored)
    full = rewards.load(str(folder))
    scores = [[s.score for s in model.score([Group(USER, TEXTS)])[0]] for model in (low, full)]
    assert max(abs(a - b) for a, b in zip(*scores, strict=True)) < 0.2


def test_too_long_is_one_row(tmp_path: Path) -> None:
    scores = rewards.load(str(scalar(tmp_path, limit=100))).score([Group(USER, ["a", "word " * 100, "b"])])[0]
    assert [score.error for score in scores] == ["", "too_long", ""]
