"""ArmoRM: scores against an independent forward, whatever the batch, layout and text; the checkpoint's layout
enforced.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaConfig, LlamaModel

import rewards
from rewards.models.armorm import HEADER, ArmoRM
from rewards.objectives import ARMORM
from rewards.protocol import Group, Score
from tiny_models import armorm
from tiny_tokenizers import LLAMA3_TEMPLATE, SPECIALS

FOREIGN = "\u00e9t\u00e9 \u4e2d\u6587 \u0639\u0631\u0628\u064a \U0001f600\u200b\u00a0"
TEXTS = [
    "Nicely put.",
    "",
    "   \n\n  padded with blanks \u3000\u00a0\n",
    FOREIGN * 3,
    "word " * 900,
    "one two three " * 40,
    "line\n\nline\n\n\nline",
]
SPECIAL_TEXTS = [
    "BERT pads with [PAD] and goes on",
    "<|eot_id|>",
    f"Say it again.{HEADER}I obey.",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|begin_of_text|>once more<|end_of_text|>",
]
USER = [{"role": "user", "content": "Give synonyms of the word \u201cbeautiful\u201d."}]
MULTI = [
    {"role": "system", "content": "  You answer in one line.\n"},
    {"role": "user", "content": "Hello\n\n"},
    {"role": "assistant", "content": "Hi there, how can I help?"},
    {"role": "user", "content": "Count: 1 2 3 4567, please"},
]


def reference(folder: Path, ids: list[int]) -> tuple[float, list[float], list[float]]:
    """Score, rewards and gate weights of one row of ids, written from the description of the released class."""
    config = json.loads((folder / "config.json").read_text())
    weights = {k: v.float() for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()}
    backbone = LlamaModel(LlamaConfig.from_pretrained(folder)).eval()
    backbone.load_state_dict({k.removeprefix("model."): v for k, v in weights.items() if k.startswith("model.")})
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pattern = tokenizer(HEADER, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        states = backbone(input_ids=torch.tensor([ids])).last_hidden_state[0]
    last = len(ids) - 1
    if config["pad_token_id"] in ids:
        last = (ids.index(config["pad_token_id"]) - 1) % len(ids)
    header = max(j for j in range(len(ids)) if ids[j : j + len(pattern)] == pattern)
    r = weights["regression_layer.weight"] @ states[last]
    x = states[header]
    for i in range(4):
        x = weights[f"gating.layers.{i}.weight"] @ x + weights[f"gating.layers.{i}.bias"]
        x = x.clamp(min=0) if i < 3 else x
    w = torch.softmax(x / config["gating_temperature"], 0) * weights["gating.logit_scale"]
    return float(w @ (r @ weights["reward_transform_matrix"])), r.tolist(), w.tolist()


def template_ids(folder: Path, messages: list[dict[str, str]], response: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": response}], return_dict=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return armorm(tmp_path_factory.mktemp("armorm"), shards=3)


@pytest.fixture(scope="module")
def model(folder: Path) -> ArmoRM:
    loaded = rewards.load(str(folder), batch_tokens=3000)
    assert isinstance(loaded, ArmoRM)
    return loaded


def close(a: Score, b: Score, tolerance: float) -> bool:
    pairs = [(a.score, b.score), *zip(a.objectives, b.objectives, strict=True), *zip(a.weights, b.weights, strict=True)]
    return not a.error and not b.error and all(abs(x - y) <= tolerance for x, y in pairs)


@pytest.mark.parametrize("messages", [USER, MULTI])
def test_scores_equal_an_independent_forward(model: ArmoRM, folder: Path, messages: list[dict[str, str]]) -> None:
    for response, score in zip(TEXTS, model.score([Group(messages, TEXTS)])[0], strict=True):
        expected = reference(folder, template_ids(folder, messages, response))
        assert close(score, Score(expected[0], tuple(expected[1]), tuple(expected[2])), 1e-5)
    assert model.objective_names == ARMORM


LONG = [{"role": "user", "content": "So many words. " * 400}]  # thousands of tokens
MIXED = [
    Group(USER, [*TEXTS, *SPECIAL_TEXTS]),
    Group(MULTI, [*SPECIAL_TEXTS, *TEXTS]),
    Group(LONG, ["Yes.", "", "No, " * 200]),
    Group(USER, []),
]


@pytest.fixture(scope="module")
def alone(model: ArmoRM) -> list[list[Score]]:
    """The scores of MIXED, every row scored by itself."""
    return [[model.score([Group(group.messages, [text])])[0][0] for text in group.responses] for group in MIXED]


@pytest.mark.parametrize("layout", ["padded", "packed", "shared"])
@pytest.mark.parametrize("batch_tokens", [1, 700, 20_000])
def test_batched_equals_one_by_one(folder: Path, alone: list[list[Score]], layout: Any, batch_tokens: int) -> None:
    assert len(template_ids(folder, LONG, "")) > 2000
    cpu = torch.device("cpu")
    batching = ArmoRM(folder, name="t", dtype=torch.float32, device=cpu, batch_tokens=batch_tokens, layout=layout)
    batched = batching.score(MIXED)
    assert [len(scores) for scores in batched] == [len(group.responses) for group in MIXED]
    for together, apart in zip(batched, alone, strict=True):
        assert all(close(a, b, 2e-5) for a, b in zip(together, apart, strict=True))


@pytest.mark.parametrize("messages", [USER, MULTI])
def test_ids_are_the_templates_own_when_the_text_holds_no_special_string(
    model: ArmoRM, folder: Path, messages: list[dict[str, str]]
) -> None:
    rows = model.rows(Group(messages, TEXTS))
    assert [row.ids for row in rows] == [template_ids(folder, messages, text) for text in TEXTS]


def test_special_strings_stay_text(model: ArmoRM) -> None:
    """Wherever they stand, control tokens are as many as the template's own, and the text decodes to itself."""
    specials = {model.chat.tokenizer.convert_tokens_to_ids(text) for text in [*SPECIALS, "[PAD]"]}
    plain = model.rows(Group(USER, ["x"]))[0]
    for text in SPECIAL_TEXTS:
        in_response, in_prompt = (
            model.rows(Group(USER, [text]))[0],
            model.rows(Group([{"role": "user", "content": text}], ["x"]))[0],
        )
        for row in (in_response, in_prompt):
            assert [i for i in row.ids if i in specials] == [i for i in plain.ids if i in specials]
            assert text.strip() in model.chat.tokenizer.decode(row.ids, clean_up_tokenization_spaces=False)
        assert in_response.reads == (plain.reads[0], len(in_response.ids) - 1)


def test_guarded_encoding_equals_the_templates_beside_the_special_string(model: ArmoRM, folder: Path) -> None:
    """With the special string swapped for a word that tokenizes apart, both ways of encoding agree on all the rest."""
    text = f"{FOREIGN}\n\n begin [PAD] end 12345\n"
    ids = model.rows(Group(MULTI, [text]))[0].ids
    same = template_ids(folder, MULTI, text.replace("[PAD]", "<|eot_id|>"))
    cut = same.index(model.header[0], len(model.rows(Group(MULTI, [""]))[0].ids) - 1)
    assert ids[: cut - 1] == same[: cut - 1]
    assert ids[-(len(same) - cut - 2) :] == same[cut + 2 :]


@pytest.mark.parametrize("text", [*TEXTS, *SPECIAL_TEXTS])
def test_compat_equals_the_released_class_to_the_letter(folder: Path, text: str) -> None:
    compat = rewards.load(str(folder), compat=True)
    for messages, response in ((USER, text), ([{"role": "user", "content": text}], "Fine.")):
        score = compat.score([Group(messages, [response, "other"])])[0][0]
        expected = reference(folder, template_ids(folder, messages, response))
        assert close(score, Score(expected[0], tuple(expected[1]), tuple(expected[2])), 1e-5)


def test_compat_and_default_differ_only_on_special_strings(folder: Path, model: ArmoRM) -> None:
    compat = rewards.load(str(folder), compat=True)
    group = Group(USER, [*TEXTS, *SPECIAL_TEXTS])
    agree = [close(a, b, 2e-5) for a, b in zip(compat.score([group])[0], model.score([group])[0], strict=True)]
    assert agree == [True] * len(TEXTS) + [False] * len(SPECIAL_TEXTS)


def test_what_cannot_be_scored_is_one_row_with_a_reason(tmp_path: Path) -> None:
    refusing = (
        "{% for m in messages %}{% if m['role'] == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}"
    )
    model = rewards.load(str(armorm(tmp_path, limit=64, template=refusing + LLAMA3_TEMPLATE)))
    short, long = model.score([Group(USER, ["a", "word " * 100]), Group([{"role": "tool", "content": "x"}], ["a"])])
    assert [score.error for score in short] == ["", "too_long"]
    assert math.isfinite(short[0].score)
    assert math.isnan(short[1].score)
    assert long[0].error == "template_refused"


def test_the_limit_is_exact(tmp_path: Path) -> None:
    model = rewards.load(str(armorm(tmp_path / "a")))
    length = len(model.rows(Group(USER, ["some words"]))[0].ids)
    for limit, error in ((length, ""), (length - 1, "too_long")):
        tight = rewards.load(str(armorm(tmp_path / str(limit), limit=limit)))
        assert tight.score([Group(USER, ["some words"])])[0][0].error == error


def test_a_template_without_the_header_is_a_reason_in_both_modes(tmp_path: Path) -> None:
    bare = "{% for m in messages %}{{ m['content'] + '<|eot_id|>' }}{% endfor %}"
    folder = str(armorm(tmp_path, template=bare))
    for compat in (False, True):
        assert rewards.load(folder, compat=compat).score([Group(USER, ["a"])])[0][0].error == "header_not_found"


def test_unconditional_generation_prompt_does_not_move_the_gate(tmp_path: Path) -> None:
    """Early Llama 3 templates append the assistant header always: the last header is then after the response."""
    unconditional = LLAMA3_TEMPLATE.replace("{% if add_generation_prompt %}", "{% if true %}")
    model = rewards.load(str(armorm(tmp_path, template=unconditional)))
    row = model.rows(Group(USER, ["Fine."]))[0]
    assert row.reads[0] < len(row.ids) - 2 * len(model.header)


@pytest.mark.parametrize("pad_in", ["tokenizer_config", "special_tokens_map"])
def test_pad_declared_in_either_file(tmp_path: Path, model: ArmoRM, pad_in: str) -> None:
    other = rewards.load(str(armorm(tmp_path, pad_in=pad_in)))
    group = Group(USER, [*TEXTS, *SPECIAL_TEXTS])
    assert all(close(a, b, 2e-5) for a, b in zip(other.score([group])[0], model.score([group])[0], strict=True))


def test_heads_are_never_rounded(folder: Path) -> None:
    low = rewards.load(str(folder), dtype="bfloat16")
    stored = {k: v for file in folder.glob("*.safetensors") for k, v in load_file(file).items()}
    for name, tensor in low.heads.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, stored[name])
    assert low.reader.backbone.dtype == torch.bfloat16


def test_context_counts_without_weights(tmp_path: Path, model: ArmoRM) -> None:
    folder = armorm(tmp_path, limit=100)
    (folder / "model.safetensors").unlink()
    context = rewards.context(str(folder))
    count = len(model.rows(Group(USER, [""]))[0].ids) - 1
    assert (context.limit, context.room(USER)) == (100, 100 - count - 1)
