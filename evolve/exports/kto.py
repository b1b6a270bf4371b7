"""KTO: a line for each response with a label. One file that TRL 1.16.0, ms-swift 4.6.0, LLaMA-Factory 0.9.5 and axolotl
0.21.0 load. Checked 2026-11-25.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.exports.dataset_info import TAGS, Entries
from evolve.exports.names import factory_notes, factory_template
from evolve.exports.paper import Epoch
from evolve.exports.setup import Setup, as_yaml


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """Two of {prompt, completion, messages, label}: the chosen response, label true, then the rejected one.

    TRL reads prompt and completion, the others messages, the whole conversation.
    """
    return [
        {
            "prompt": pair["prompt"],
            "completion": pair[name],
            "messages": pair["prompt"] + pair[name],
            "label": name == "chosen",
        }
        for name in ("chosen", "rejected")
    ]


SCRIPT = """\
{head}
import os

import torch
from datasets import load_dataset
from trl import KTOConfig, KTOTrainer

GPU = torch.cuda.is_available()
POLICY = {policy!a}
FILES = {files!a}
config = KTOConfig(
    output_dir={output!a},
    max_length={max_length},
    num_train_epochs=1,
    per_device_train_batch_size={size},
    per_device_eval_batch_size={size},
    gradient_accumulation_steps=max(1, {batch} // ({size} * int(os.environ.get("WORLD_SIZE", "1")))),
    learning_rate={learning_rate},
    lr_scheduler_type="cosine",
    warmup_steps={warmup_steps},
    logging_steps=1,
    eval_strategy={evaluation!a},
    bf16=GPU,
    use_cpu=not GPU,
    report_to=[],
)
data = load_dataset("json", data_files=FILES)
trainer = KTOTrainer(model=POLICY, args=config, train_dataset=data["train"], eval_dataset=data.get("test"))
trainer.train()
trainer.save_model()
"""


def entries(files: list[Path]) -> Entries:
    """What LLaMA-Factory's dataset_info.json has of each file, named after it."""
    about = {"formatting": "sharegpt", "columns": {"messages": "messages", "kto_tag": "label"}, "tags": TAGS}
    return {path.stem: {"file_name": path.name} | about for path in files}


def configs(setup: Setup) -> dict[str, str]:
    """A program for TRL and a configuration for LLaMA-Factory. The paper has no KTO: batch, learning rate and schedule
    are those of its DPO, beta is the trainers' default.
    """
    epoch = Epoch(2 * setup.n_pairs, least=2)  # lines; it compares those of a batch with each other
    size = min(8, epoch.batch)
    files = {"train": str(setup.data)} | ({"test": str(setup.test)} if setup.test else {})
    said = f"The paper has no KTO: batch, learning rate and schedule are those of its Table 3, {setup.dpo.row}."
    script = SCRIPT.format(
        head=setup.head("TRL 1.16.0: python THIS_FILE.", said, epoch=epoch).rstrip(),
        policy=setup.policy,
        files=files,
        output=setup.output("kto"),
        max_length=setup.max_length,
        evaluation="epoch" if setup.test else "no",
        size=size,
        batch=epoch.batch,
        learning_rate=setup.dpo.learning_rate,
        warmup_steps=epoch.warmup_steps,
    )
    values: dict[str, Any] = {"model_name_or_path": setup.policy, "stage": "kto", "do_train": True}
    values |= {"finetuning_type": "full", "dataset_dir": str(setup.data.parent), "dataset": setup.data.stem}
    values |= {"eval_dataset": setup.test.stem, "eval_strategy": "epoch"} if setup.test else {}
    values |= factory_template(setup.template)
    values |= {"cutoff_len": setup.max_length, "output_dir": setup.output("kto"), "bf16": True, "report_to": "none"}
    values |= {"num_train_epochs": 1.0, "per_device_train_batch_size": size}
    values |= {"gradient_accumulation_steps": epoch.batch // size, "learning_rate": setup.dpo.learning_rate}
    values |= {"lr_scheduler_type": "cosine", "warmup_steps": epoch.warmup_steps}
    head = [
        "LLaMA-Factory 0.9.5: llamafactory-cli train THIS_FILE.",
        said,
        "On several GPUs divide gradient_accumulation_steps by their number.",
        *factory_notes(setup.template),
    ]
    return {"kto.py": script, "kto.yaml": setup.head(*head, epoch=epoch) + as_yaml(values)}
