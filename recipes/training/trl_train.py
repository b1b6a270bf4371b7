"""Train a policy on preference pairs by SimPO or DPO with TRL, on a CPU or on GPUs, and save it whole.

python trl_train.py --method simpo --dataset train.parquet --policy MODEL --output FOLDER \
    --learning-rate 1e-6 --beta 10 --gamma 3

On several GPUs: accelerate launch --config_file deepspeed-zero3.yaml trl_train.py and the same arguments. What is not
given is the paper's (Table 3): batches of 128, 2,048 tokens, one epoch, a cosine after a warm-up over 10% of the steps.
"""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.trainer_utils import get_last_checkpoint

PRESET: dict[str, Any] = {}

GPU = torch.cuda.is_available()
FEW = 10  # steps


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a policy on preference pairs with TRL.")

    def add(name: str, kind: type = str, **about: Any) -> None:
        key = name.replace("-", "_")
        needed = about.pop("required", False) and key not in PRESET
        parser.add_argument(f"--{name}", type=kind, required=needed, **about)

    add("method", choices=("simpo", "dpo"), required=True)
    add("dataset", required=True, help="train.parquet, or JSON lines of prompt, chosen and rejected")
    add("test", help="such a file to evaluate on after the epoch")
    add("policy", required=True, help="folder or Hub name")
    add("reference", help="DPO's reference model; the policy itself, before training, by default")
    add("output", required=True, help="folder for the trained policy")
    add("learning-rate", float, required=True)
    add("beta", float, required=True)
    add("gamma", float, default=0.0, help="SimPO's target margin, beta times the paper's gamma/beta")
    add("batch", int, default=128, help="pairs of a step, over all devices")
    add("device-batch", int, default=1 if GPU else 16, help="pairs on a device at once")
    add("max-length", int, default=2048, help="tokens of prompt and response")
    add("epochs", float, default=1.0)
    add("warm-up", float, default=0.1, help="share of the steps")
    add("seed", int, default=42)
    parser.add_argument("--evaluate", action="store_true", help="print loss and margins on the pairs, before and after")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint that a killed training left")
    parser.set_defaults(**PRESET)
    return parser.parse_args()


def settings(asked: argparse.Namespace, n_pairs: int) -> dict[str, Any]:
    """What both trainers of TRL are told."""
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    size = min(asked.device_batch, asked.batch)
    steps = math.ceil(math.ceil(n_pairs / asked.batch) * asked.epochs)
    return {
        "output_dir": asked.output,
        "beta": asked.beta,
        "learning_rate": asked.learning_rate,
        "lr_scheduler_type": "cosine",
        # The first step of a warm-up is at a rate of 0: of few steps none is to be lost.
        "warmup_steps": math.ceil(asked.warm_up * steps) if steps >= FEW else 0,
        "num_train_epochs": asked.epochs,
        "per_device_train_batch_size": size,
        "per_device_eval_batch_size": size,
        "gradient_accumulation_steps": max(1, asked.batch // (size * devices)),
        "gradient_checkpointing": GPU,
        "max_length": asked.max_length,
        "bf16": GPU,  # the weights stay float32: a step of 1e-6 is less than bfloat16 can tell from nothing
        "use_cpu": not GPU,
        "seed": asked.seed,
        "eval_strategy": "epoch" if asked.test else "no",
        "save_strategy": "steps" if asked.resume else "no",
        "save_steps": 0.2,
        "save_total_limit": 1,
        "logging_steps": 0.1,
        "disable_tqdm": True,
        "report_to": [],
    }


def make_trainer(asked: argparse.Namespace) -> Any:
    files = {"train": asked.dataset} | ({"test": asked.test} if asked.test else {})
    data = load_dataset("parquet" if asked.dataset.endswith(".parquet") else "json", data_files=files)
    data = data.select_columns(["prompt", "chosen", "rejected"])
    evaluated = data.get("test", data["train"] if asked.evaluate else None)
    given: dict[str, Any] = {"train_dataset": data["train"], "eval_dataset": evaluated}
    told = settings(asked, len(data["train"]))
    if asked.method == "simpo":
        from trl.experimental.cpo import CPOConfig, CPOTrainer

        # cpo_alpha = 0: SimPO alone, without a term for the likelihood of the chosen responses
        config = CPOConfig(loss_type="simpo", cpo_alpha=0.0, simpo_gamma=asked.gamma, **told)
        return CPOTrainer(args=config, model=load(asked.policy), processing_class=tokenizer(asked.policy), **given)
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(**told)
    given["ref_model"] = load(asked.reference) if asked.reference else None
    return DPOTrainer(args=config, model=load(asked.policy), processing_class=tokenizer(asked.policy), **given)


def load(model: str) -> Any:
    """After the trainer's settings are made: DeepSpeed's tell how the weights are to be split."""
    return AutoModelForCausalLM.from_pretrained(model, dtype="float32")


def tokenizer(model: str) -> Any:
    return AutoTokenizer.from_pretrained(model)


def say(trainer: Any, when: str) -> None:
    found = trainer.evaluate()
    names = ("loss", "rewards/margins", "rewards/accuracies")
    print(when, {name: round(found[f"eval_{name}"], 4) for name in names}, flush=True)


def main() -> Any:
    asked = arguments()
    trainer = make_trainer(asked)
    if asked.evaluate:
        say(trainer, "before")
    there = asked.resume and os.path.isdir(asked.output)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(asked.output) if there else None)
    if asked.evaluate:
        say(trainer, "after")
    trainer.save_model(asked.output)  # the tokenizer with it
    return trainer


if __name__ == "__main__":
    trainer = main()
