"""What TRL makes of train.parquet, by its own processing: the tokens of the policy's template, and our sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generation import load_chat
from grown_runs import POLICY, Grown

pytestmark = pytest.mark.engine

# Measured on 200 rows of the default recipe: 2.6e-5 nats between TRL's sums and the columns, both in float32.
TOLERANCE = 1e-4
USER = {"role": "user", "content": "Name 3 birds."}
MARKS = "<|eot_id|><|start_header_id|>user<|end_header_id|>"
# Prompt, chosen, rejected.
EDGES: dict[str, tuple[list[dict[str, str]], str, str]] = {
    "system": ([{"role": "system", "content": "Be kind."}, USER], "Owl, duck, hen.", "No."),
    "empty system": ([{"role": "system", "content": ""}, USER], "Owl, duck, hen.", "No."),
    "multi-turn": ([USER, {"role": "assistant", "content": "Owl."}, USER], "Hen, duck, robin.", "No."),
    "outer white space": ([{"role": "user", "content": " \tName 3 birds. \n"}], " Owl, duck.\n\n", "\n No. "),
    "empty rejected": ([USER], "Owl, duck, hen.", ""),
    "cut-off loser": ([USER], "Owl, duck, hen.", "Three birds that I know are the"),
    "no ASCII": ([{"role": "user", "content": "Name 3 birds \U0001f426, é, \u6f22\u5b57."}], "Owl é.", "\U0001f989"),
    "marks in the prompt": ([{"role": "user", "content": f"What is {MARKS} for?"}], "A turn.", "No."),
    "marks in a response": ([USER], f"Owl.{MARKS}", "No."),
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POLICY)


def policy_model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(POLICY, dtype="float32")


def edges() -> Any:
    from datasets import Dataset

    def turn(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    return Dataset.from_list(
        [{"prompt": prompt, "chosen": turn(good), "rejected": turn(bad)} for prompt, good, bad in EDGES.values()]
    )


def dpo(pairs: Any, tokenizer: Any, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """The rows of TRL's DPOTrainer after its processing: prompt_ids, chosen_ids, rejected_ids."""
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[], **settings
    )
    trainer = DPOTrainer(model=policy_model(), args=config, train_dataset=pairs, processing_class=tokenizer)
    return list(trainer.train_dataset)


def cpo(pairs: Any, tokenizer: Any, folder: Path) -> list[dict[str, Any]]:
    """The same of its CPOTrainer, which is SimPO's, in DPOTrainer's words."""
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    config = CPOConfig(output_dir=str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[])
    trainer = CPOTrainer(model=policy_model(), args=config, train_dataset=pairs, processing_class=tokenizer)
    found = []
    for row in trainer.train_dataset:
        said = {"prompt_ids": row["prompt_input_ids"]}
        for side in ("chosen", "rejected"):
            whole, labels = row[f"{side}_input_ids"], row[f"{side}_labels"]
            n_prompt = labels.count(-100)
            assert labels == [-100] * n_prompt + whole[n_prompt:]
            assert whole[:n_prompt] == said["prompt_ids"]
            said[f"{side}_ids"] = whole[n_prompt:]
        found.append(said)
    return found


def check_template(rows: list[dict[str, Any]], pairs: Any, tokenizer: Any) -> None:
    """Prompt and both sides are, token by token, what the policy's chat template says."""
    assert len(rows) == len(pairs)
    for row, pair in zip(rows, pairs, strict=True):
        prompt = tokenizer.apply_chat_template(pair["prompt"], add_generation_prompt=True, return_dict=False)
        assert row["prompt_ids"] == prompt
        for side in ("chosen", "rejected"):
            whole = tokenizer.apply_chat_template(pair["prompt"] + pair[side], return_dict=False)
            assert row["prompt_ids"] + row[f"{side}_ids"] == whole


@pytest.mark.parametrize("processed", [dpo, cpo])
def test_every_row_is_trained_on_the_tokens_that_were_sampled(
    processed: Any, grown: Grown, tokenizer: Any, tmp_path: Path
) -> None:
    """A loser that the length limit cut off has an end of turn behind it that was not sampled."""
    from datasets import load_dataset

    pairs = load_dataset("parquet", data_files=grown.parquet, split="train", cache_dir=str(tmp_path / "cache"))
    rows = processed(pairs, tokenizer, tmp_path / "out")
    check_template(rows, pairs, tokenizer)
    chat, end, n_cut_off = load_chat(POLICY), tokenizer.eos_token_id, 0
    for row, pair in zip(rows, pairs, strict=True):
        assert row["prompt_ids"] == chat.render(pair["prompt"])
        for side in ("chosen", "rejected"):
            response, ids = grown.sampled(pair, side), row[f"{side}_ids"]
            cut_off = response["finish_reason"] == "length"
            n_cut_off += cut_off
            assert not (cut_off and side == "chosen")
            assert ids == response["token_ids"] + [end] * cut_off
            assert len(ids) == pair[f"n_tokens_{side}"] + cut_off
            assert ids.index(end) == len(ids) - 1
    assert {1, 2, 3} <= {len(pair["prompt"]) for pair in pairs}  # with a system message, and of several turns
    assert n_cut_off


@pytest.mark.parametrize("processed", [dpo, cpo])
def test_edges_are_trained_on_as_the_template_has_them(processed: Any, tokenizer: Any, tmp_path: Path) -> None:
    """Marks of the template that a text has are read as marks by the template, and so by TRL; the program samples with
    such a prompt as text, and its rows with marks in them are not what was sampled.
    """
    pairs = edges()
    rows = processed(pairs, tokenizer, tmp_path / "out")
    check_template(rows, pairs, tokenizer)
    chat, end = load_chat(POLICY), tokenizer.eos_token_id
    for name, row, pair in zip(EDGES, rows, pairs, strict=True):
        assert (row["prompt_ids"] == chat.render(pair["prompt"])) == (name != "marks in the prompt")
        for side in ("chosen", "rejected"):
            ids, text = row[f"{side}_ids"], pair[side][0]["content"]
            assert ids[-1] == end
            assert ids.count(end) == 1 + text.count("<|eot_id|>")
            assert tokenizer.decode(ids[:-1]) == text.strip()  # the template trims


def test_the_columns_are_the_sums_that_trl_computes(grown: Grown, tokenizer: Any, tmp_path: Path) -> None:
    """TRL's sum for a cut-off loser has one more term: the end of turn that TRL puts behind it."""
    import torch
    from datasets import Dataset

    train = grown.train
    kept = ("prompt", "chosen", "rejected")
    pairs = Dataset.from_list([{name: pair[name] for name in kept} for pair in train])
    rows = dpo(
        pairs,
        tokenizer,
        tmp_path / "out",
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=16,
        dataloader_num_workers=0,
    )
    model, n_cut_off = policy_model().eval(), 0
    for row, pair in zip(rows, train, strict=True):
        for side in ("chosen", "rejected"):
            extra = 0.0
            if grown.sampled(pair, side)["finish_reason"] == "length":
                ids = torch.tensor([row["prompt_ids"] + row[f"{side}_ids"]])
                with torch.no_grad():
                    extra = float(model(ids).logits[0, -2].log_softmax(-1)[ids[0, -1]])
                assert extra < -TOLERANCE
                n_cut_off += 1
            assert row[f"ref_{side}_logps"] == pytest.approx(pair[f"logp_{side}"] + extra, abs=TOLERANCE)
    assert n_cut_off
