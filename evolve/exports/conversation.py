"""Whole conversations in chosen and rejected: OpenRLHF 0.11.2, torchtune 0.6.1 (which trains earlier turns too),
LLaMA-Factory v1 (converter `pair`), axolotl (chat_template.argilla_chat), TRL's RewardTrainer. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any

from evolve.exports.setup import Setup, as_command


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{chosen, rejected}, lists of messages: the prompt is the start of both conversations."""
    return [{name: pair["prompt"] + pair[name] for name in ("chosen", "rejected")}]


def configs(setup: Setup) -> dict[str, str]:
    """For `sh FILE`: OpenRLHF's DPO; it has no SimPO."""
    options: dict[str, Any] = {"--model.model_name_or_path": setup.policy, "--model.beta": setup.dpo.beta}
    options |= {"--data.dataset": setup.data, "--data.apply_chat_template": True, "--data.max_len": setup.max_length}
    if setup.test:
        options |= {"--eval.dataset": setup.test, "--eval.split": "train"}  # a file's only split
    options |= {"--train.batch_size": setup.epoch.batch, "--train.micro_batch_size": 1, "--train.max_epochs": 1}
    options |= {"--adam.lr": setup.dpo.learning_rate, "--lr_warmup_ratio": setup.epoch.warm_up}
    options |= {"--lr_scheduler": "cosine_with_min_lr", "--min_lr_ratio": 0.0}  # it gives every scheduler a least rate
    options |= {"--model.gradient_checkpointing_enable": True, "--ckpt.output_dir": setup.output("dpo")}
    head = [f"OpenRLHF 0.11.2: sh THIS_FILE. Hyperparameters: the paper's Table 3, {setup.dpo.row}."]
    command = as_command(["deepspeed", "--module", "openrlhf.cli.train_dpo"], options)
    return {"dpo.sh": setup.head(*head) + command}
