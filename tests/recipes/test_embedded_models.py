"""The shipped models: their files, their layout, and that they do what the default recipe needs of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recipes.factory import EMBEDDED
from recipes.factory.world.instruction import FLAWS, draw_answer, draw_instruction
from recipes.factory.world.judge import judge
from recipes.factory.world.qualities import JUDGES, QUALITIES, quality_of
from rewards import Group, load

POLICY, REWARD = EMBEDDED / "policy", EMBEDDED / "reward"
HEADER = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
TURNS = [
    {"role": "system", "content": "You are a kind assistant."},
    {"role": "user", "content": "Name 3 birds."},
    {"role": "assistant", "content": "Owl, duck, hen."},
    {"role": "user", "content": "Give me 2 more."},
]


def config(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(POLICY))


def test_all_files_together_are_small_enough_to_ship() -> None:
    shipped = [p for p in EMBEDDED.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in shipped) <= 25e6
    assert not [p for p in shipped if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".py"}]


def test_the_policy_is_a_llama_that_vllm_takes_on_a_cpu() -> None:
    shape = config(POLICY)
    assert shape["architectures"] == ["LlamaForCausalLM"]
    assert shape["head_dim"] % 32 == 0
    assert shape["max_position_embeddings"] >= 1024
    generation = json.loads((POLICY / "generation_config.json").read_text())
    assert generation["eos_token_id"] == shape["eos_token_id"]


def test_the_chat_template_is_of_llama_3s_shape(tokenizer: Any) -> None:
    text = tokenizer.apply_chat_template(TURNS, tokenize=False, add_generation_prompt=True)
    assert text.startswith(
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a kind assistant.<|eot_id|>"
    )
    assert text.count("<|begin_of_text|>") == 1
    assert text.endswith("Give me 2 more." + HEADER)
    ids = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True, return_dict=False)
    assert tokenizer.decode(ids) == text
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.eos_token == "<|eot_id|>"
    assert tokenizer.eos_token_id == config(POLICY)["eos_token_id"]


@pytest.mark.parametrize(
    "answer", ["Robin and eagle.", "", "1", '{"name": "Ben"}', "* Owl\n* Duck", "Ωμέγα 🦉", "\n\nOwl"]
)
def test_the_header_is_five_tokens_whatever_follows(tokenizer: Any, answer: str) -> None:
    header = tokenizer(HEADER, add_special_tokens=False)["input_ids"]
    assert len(header) == 5
    prompt = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True, return_dict=False)
    whole = tokenizer.apply_chat_template([*TURNS, {"role": "assistant", "content": answer}], return_dict=False)
    assert prompt[-5:] == header
    assert whole[: len(prompt)] == prompt
    assert whole[-1] == tokenizer.convert_tokens_to_ids("<|eot_id|>")


def test_any_text_survives_the_tokenizer(tokenizer: Any) -> None:
    for text in ("What is 23 plus 14?", "naïve café — 東京 🙂\ttab\r\nline", "  two  spaces  ", "{prompt} [PAD"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_the_reward_model_has_the_released_layout() -> None:
    from safetensors import safe_open

    shape = config(REWARD)
    assert shape["architectures"] == ["LlamaForRewardModelWithGating"]
    assert (shape["model_type"], shape["num_objectives"], shape["gating_temperature"]) == ("llama", 19, 10)
    assert shape["pad_token_id"] == shape["vocab_size"] - 1
    assert len(set(shape["objective_names"])) == 19
    assert "auto_map" not in shape
    hidden, inner = shape["hidden_size"], shape["gating_hidden_dim"]
    sizes = [hidden, *[inner] * shape["gating_n_hidden"], 19]
    heads: dict[str, tuple[int, ...]] = {
        "regression_layer.weight": (19, hidden),
        "reward_transform_matrix": (19, 19),
        "gating.logit_scale": (1,),
    }
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        heads |= {f"gating.layers.{i}.weight": (b, a), f"gating.layers.{i}.bias": (b,)}
    with safe_open(str(REWARD / "model.safetensors"), "pt") as file:
        found = {n: (tuple(s.get_shape()), s.get_dtype()) for n in file.keys() for s in [file.get_slice(n)]}  # noqa: SIM118
    assert {n: s for n, (s, _) in found.items() if not n.startswith("model.")} == heads
    assert {d for n, (_, d) in found.items() if n in heads} == {"F32"}
    assert "model.norm.weight" in found
    assert len([n for n in found if n.startswith("model.layers.")]) == 9 * shape["num_hidden_layers"]


@pytest.fixture(scope="module")
def policy() -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(POLICY), dtype=torch.float32).eval()


def reply(policy: Any, tokenizer: Any, prompt: str) -> tuple[str, bool]:
    """The greedy answer to `prompt`, and whether it ended by itself."""
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=False, return_tensors="pt"
    )
    out = policy.generate(ids, do_sample=False, max_new_tokens=96)[0, ids.shape[1] :].tolist()
    return tokenizer.decode(out, skip_special_tokens=True), out[-1] == tokenizer.eos_token_id


def test_the_policy_answers_and_ends_its_turn(policy: Any, tokenizer: Any) -> None:
    for prompt in ("List 3 fruits.", "What is the capital of Spain?", "Write a short story about a shy lion."):
        text, ended = reply(policy, tokenizer, prompt)
        assert ended, text
        assert text.strip()
    assert "Madrid" in reply(policy, tokenizer, "What is the capital of Spain?")[0]


@pytest.mark.parametrize("strategy", ["constraints", "deepen", "concretize", "reasoning"])
def test_the_policy_rewrites_by_the_shipped_templates(policy: Any, tokenizer: Any, strategy: str) -> None:
    template = (EMBEDDED / "templates" / f"{strategy}.txt").read_text()
    prompt = "Name 4 tools."
    text, ended = reply(policy, tokenizer, template.replace("{prompt}", prompt))
    assert ended, text
    assert prompt in text
    assert len(text) > len(prompt) + 15


def test_the_reward_model_prefers_plainly_better_answers() -> None:
    cases = [
        ("List 3 fruits.", ["Apple, pear and plum.", "Hammer, pear and dog."]),
        ("What is the capital of Spain?", ["It is Madrid.", "It is Oslo."]),
        ("Name 2 birds. Finish your answer with the exact words good luck.", ["Owl and duck. Good luck.", "Owl and"]),
        (
            "Write a short story about a shy lion.",
            ["There was a shy lion near the lake. It found a map. It was happy.", "No."],
        ),
    ]
    model = load(str(REWARD))
    assert model.objective_names[0] == "world-correctness"
    got = model.score([Group([{"role": "user", "content": p}], answers) for p, answers in cases])
    assert not [s.error for pair in got for s in pair if s.error]
    assert all(good.score > bad.score for good, bad in got)


def test_the_reward_model_tells_flawed_answers_to_prompts_that_it_has_not_seen() -> None:
    rng = Random("held-out pairs")
    groups: list[Group] = []
    first_is_better: list[bool] = []
    while len(groups) < 100:
        asked = draw_instruction(rng, held_out=True)
        answers = [draw_answer(rng, asked), draw_answer(rng, asked, rng.choice(FLAWS))]
        good, flawed = (verdict.quality for a in answers if (verdict := judge(asked.messages(), a)))
        if abs(good - flawed) >= 0.1:
            groups.append(Group(list(asked.messages()), answers))
            first_is_better.append(good > flawed)
    got = load(str(REWARD)).score(groups)
    assert sum((a.score > b.score) == first for (a, b), first in zip(got, first_is_better, strict=True)) >= 85


def test_the_gating_weighs_what_the_prompt_asks_for() -> None:
    rng = Random("held-out prompts")
    asked = [draw_instruction(rng, held_out=True) for _ in range(150)]
    model = load(str(REWARD))
    scores = model.score([Group(list(a.messages()), ["It is so."]) for a in asked])
    given = [dict(zip(QUALITIES, s.weights, strict=True)) for (s,) in scores]
    for quality in JUDGES:
        called_for = [quality in {quality_of(m) for m, _ in a.rules} for a in asked]
        inside = [g[quality] for g, called in zip(given, called_for, strict=True) if called]
        outside = [g[quality] for g, called in zip(given, called_for, strict=True) if not called]
        assert len(inside) >= 3, quality
        assert sum(inside) / len(inside) > 2 * sum(outside) / len(outside), quality
