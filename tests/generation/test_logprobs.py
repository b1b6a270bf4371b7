"""Teacher forcing gives what a plain float32 pass of transformers gives, however rows are packed and shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from generation import load_chat
from generation.logprobs import Asked, Forced, Said, TeacherForcing, load_forcing
from generation.response_tokens import ResponseTokens
from places import ROOT
from prompts.errors import UserError
from tiny_causal import LINE_END_TEMPLATE, causal

TOLERANCE = 1e-3  # nats a sequence
TEXTS = ["the quick brown fox jumps over the lazy dog", "", "no", "a fine day " * 12, "the quick brown cat " * 30]


def asked(n: int = 5) -> list[Asked]:
    """Prompts of many lengths with 1 to 5 responses each, one of them cut."""
    return [
        Asked(
            [{"role": "user", "content": "What are some words for a fine day? " * (i + 1)}],
            [Said(text, ended=j != 3, sampled=j == 3) for j, text in enumerate(TEXTS[: 1 + i])],
        )
        for i in range(n)
    ]


def plainly(folder: Path, prompts: list[Asked], attention: str = "sdpa") -> list[list[float]]:
    """Sums of log-probabilities by the stock model, float32, a row at a time: independent of everything but ids."""
    from transformers import AutoModelForCausalLM

    how = {"dtype": torch.float32, "attn_implementation": attention}
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), **how).eval()
    tokens = ResponseTokens(load_chat(folder).tokenizer)
    sums = []
    for prompt in prompts:
        sums.append([])
        for turn in tokens.turns(prompt.messages, prompt.responses):
            assert not isinstance(turn, str)
            with torch.no_grad():
                logits = model(torch.tensor([turn.ids])).logits[0].double()
            terms = torch.log_softmax(logits[:-1], -1)[torch.arange(len(turn.ids) - 1), turn.ids[1:]]
            sums[-1].append(float(terms[turn.n_prompt - 1 :].sum()))
    return sums


def worst(found: list[list[Forced]], expected: list[list[float]]) -> float:
    pairs = [pair for a, b in zip(found, expected, strict=True) for pair in zip(a, b, strict=True)]
    assert all(not one.error and one.n_tokens for one, _ in pairs)
    return max(abs(one.logp - value) for one, value in pairs)


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", "Gemma2"])
def test_equals_a_plain_pass_of_transformers(family: str, tmp_path: Path) -> None:
    """Gemma 2 caps its logits, and is not packed."""
    folder = causal(tmp_path, family=family, limit=1024, template=LINE_END_TEMPLATE)
    prompts = asked()
    expected = plainly(folder, prompts)
    forcing = load_forcing(str(folder), dtype="float32")
    assert forcing.description["layout"] == ("padded" if family == "Gemma2" else "shared")
    assert worst(forcing.force(prompts), expected) <= TOLERANCE
    small = load_forcing(str(folder), dtype="float32", batch_tokens=100)
    assert worst(small.force(prompts), expected) <= TOLERANCE
    half = load_forcing(str(folder), dtype="float32", head="float16")
    assert worst(half.force(prompts), expected) <= 0.5


def test_the_soft_cap_of_gemma_2_is_kept(tmp_path: Path) -> None:
    """transformers' sdpa attention leaves it out without a word."""
    folder = causal(tmp_path, family="Gemma2", limit=1024, template=LINE_END_TEMPLATE)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attn_logit_softcapping": 0.3}))
    found = load_forcing(str(folder), dtype="float32").force(asked())
    assert worst(found, plainly(folder, asked(), "eager")) <= TOLERANCE
    assert worst(found, plainly(folder, asked(), "sdpa")) > 10 * TOLERANCE


def test_the_embedded_policy_on_real_pairs_equals_a_plain_pass(shared_data: Path) -> None:
    folder = ROOT / "recipes" / "embedded" / "policy"
    rows = [json.loads(line) for line in shared_data.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len((row["prompt"] + row["chosen"] + row["rejected"]).encode()) < 1_000][:12]
    prompts = [
        Asked([{"role": "user", "content": row["prompt"]}], [Said(row["chosen"]), Said(row["rejected"])])
        for row in rows
    ]
    assert worst(load_forcing(str(folder), dtype="float32").force(prompts), plainly(folder, prompts)) <= TOLERANCE


def test_what_is_over_the_context_has_a_reason_or_is_cut_at_its_end(tmp_path: Path) -> None:
    folder = causal(tmp_path, limit=64)
    long = [Asked([{"role": "user", "content": "Why?"}], [Said("a fine day " * 30), Said("no")])]
    ((over, fits),) = load_forcing(str(folder), dtype="float32").force(long)
    assert (over.error, over.n_tokens) == ("too_long", 0)
    assert fits.error == ""
    ((cut, same),) = load_forcing(str(folder), dtype="float32", truncate=True).force(long)
    assert (cut.error, cut.cut, cut.ended) == ("", True, False)
    assert cut.n_tokens < 64
    assert same.logp == pytest.approx(fits.logp, abs=1e-4)
    (shorter,) = load_forcing(str(folder), dtype="float32", limit=40, truncate=True).force(long)
    assert shorter[0].n_tokens == cut.n_tokens - 24
    never = [Asked([{"role": "user", "content": "a fine day " * 60}], [Said("no")])]
    assert load_forcing(str(folder), dtype="float32", truncate=True).force(never)[0][0].error == "too_long"


def test_thoughts_are_apart_and_their_share_is_in_the_sum(tmp_path: Path) -> None:
    forcing = load_forcing(str(causal(tmp_path)), dtype="float32")
    prompt = asked(1)[0].messages
    ((both,),) = forcing.force([Asked(prompt, [Said("the fox", sampled=True, thoughts="a dog ")])])
    ((first,),) = forcing.force([Asked(prompt, [Said("a dog ", sampled=True, ended=False)])])
    assert both.thought_tokens == first.n_tokens
    assert both.thought_logp == pytest.approx(first.logp, abs=1e-4)
    assert both.logp < both.thought_logp


def test_running_out_of_memory_leaves_rows_owed_not_wrong(tmp_path: Path) -> None:
    folder = causal(tmp_path)
    forcing = load_forcing(str(folder), dtype="float32")
    assert isinstance(forcing, TeacherForcing)
    whole = forcing.force(asked())
    read = forcing.reader.reader.read
    forcing.reader.reader.read = lambda rows: [None if i == 2 else state for i, state in enumerate(read(rows))]
    found = [one for of_prompt in forcing.force(asked()) for one in of_prompt]
    assert [one.error for one in found].count("out_of_memory") == 1
    assert found[2].error == "out_of_memory"
    expected = [one for of_prompt in whole for one in of_prompt]
    assert found[:2] + found[3:] == expected[:2] + expected[3:]


def test_a_model_whose_head_is_not_known_is_refused(tmp_path: Path) -> None:
    """A config that says the logits are capped, of a family whose own forward does not cap them."""
    folder = causal(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"final_logit_softcapping": 1.0}))
    with pytest.raises(UserError, match="Its family is not known here"):
        load_forcing(str(folder), dtype="float32")


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = causal(tmp_path)
    weights = load_file(str(folder / "model.safetensors"))
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"missing: model.layers.1.mlp.up_proj.weight"):
        load_forcing(str(folder), dtype="float32")


def test_the_fake_one_is_the_same_every_time_and_keeps_the_contract() -> None:
    found = load_forcing("fake", dtype="auto").force(asked())
    assert found == load_forcing("fake", dtype="auto").force(asked())
    assert found != load_forcing("fake:1", dtype="auto").force(asked())
    assert [len(of_prompt) for of_prompt in found] == [1, 2, 3, 4, 5]
    assert all(one.logp < 0 and one.n_tokens for of_prompt in found for one in of_prompt)
    assert found[4][3].n_tokens == len(TEXTS[3])  # cut: no token for the end
    assert load_forcing("fake", dtype="auto", limit=40).force(asked(1))[0][0].error == "too_long"
