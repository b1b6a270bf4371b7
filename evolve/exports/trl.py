"""TRL 1.16.0 (also alignment-handbook, Unsloth, the SimPO scripts): its explicit conversational form, as in
train.parquet, with nothing beside it. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any

from evolve.exports.paper import Training
from evolve.exports.setup import Setup


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, lists of messages."""
    return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]


SCRIPT = """\
{head}
import os

import torch
from datasets import load_dataset
{imports}

GPU = torch.cuda.is_available()
SIZE = 1 if GPU else {size}  # pairs on a device at once
{values}
config = {name}Config(
{options}
    per_device_train_batch_size=SIZE,
    per_device_eval_batch_size=SIZE,
    gradient_accumulation_steps=max(1, {batch} // (SIZE * int(os.environ.get("WORLD_SIZE", "1")))),
    num_train_epochs=1,
    lr_scheduler_type="cosine",
    logging_steps=1,
    bf16=GPU,
    use_cpu=not GPU,
    report_to=[],
)
data = load_dataset("json", data_files=FILES)
trainer = {name}Trainer(
    model=POLICY,
    args=config,
    train_dataset=data["train"],
    eval_dataset=data.get("test"),{tokenizer}
)
trainer.train()
trainer.save_model()
"""


def configs(setup: Setup) -> dict[str, str]:
    """Programs for `python FILE`, or `accelerate launch FILE` on several GPUs."""
    of_tokenizer = "\n    processing_class=AutoTokenizer.from_pretrained(POLICY),"
    simpo: dict[str, Any] = {"loss_type": "simpo", "simpo_gamma": setup.simpo.gamma, "cpo_alpha": 0.0}
    return {
        "dpo.py": _script(setup, "dpo", "DPO", "from trl import DPOConfig, DPOTrainer", setup.dpo, {}),
        "simpo.py": _script(
            setup,
            "simpo",
            "CPO",
            "from transformers import AutoTokenizer\nfrom trl.experimental.cpo import CPOConfig, CPOTrainer",
            setup.simpo,
            simpo,
            of_tokenizer,
        ),
    }


def _script(
    setup: Setup,
    method: str,
    name: str,
    imports: str,
    training: Training,
    more: dict[str, Any],
    tokenizer: str = "",
) -> str:
    options = {"output_dir": setup.output(method), "beta": training.beta} | more
    options |= {"learning_rate": training.learning_rate, "warmup_steps": setup.epoch.warmup_steps}
    options |= {"max_length": setup.max_length, "eval_strategy": "epoch" if setup.test else "no"}
    files = {"train": str(setup.data)} | ({"test": str(setup.test)} if setup.test else {})
    head = [f"TRL 1.16.0: python THIS_FILE. Hyperparameters: the paper's Table 3, {training.row}."]
    return SCRIPT.format(
        head=setup.head(*head).rstrip(),
        imports=imports,
        values=f"POLICY = {setup.policy!a}\nFILES = {files!a}",
        name=name,
        options="\n".join(f"    {key}={value!a}," for key, value in options.items()),
        size=min(16, setup.epoch.batch),
        batch=setup.epoch.batch,
        tokenizer=tokenizer,
    )
