"""LLaMA-Factory 0.9.5: ranking data in the sharegpt form with OpenAI tags, and the dataset_info.json that describes it.
Its own templates lose an empty system message and keep outer white space. Checked 2026-11-25.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.exports.dataset_info import TAGS, Entries
from evolve.exports.names import factory_notes, factory_template
from evolve.exports.setup import Setup, as_yaml


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{messages, chosen, rejected}: the prompt's messages, and one message for each response."""
    return [{"messages": pair["prompt"], "chosen": pair["chosen"][0], "rejected": pair["rejected"][0]}]


def entries(files: list[Path]) -> Entries:
    """What dataset_info.json has of each file, named after it. The form `openai` would put words into the prompt."""
    about = {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
        "tags": TAGS,
    }
    return {path.stem: {"file_name": path.name} | about for path in files}


def configs(setup: Setup) -> dict[str, str]:
    """For `llamafactory-cli train FILE`."""
    shown = {}
    for method, training in (("dpo", setup.dpo), ("simpo", setup.simpo)):
        loss = {"pref_loss": "sigmoid"} if method == "dpo" else {"pref_loss": "simpo", "simpo_gamma": training.gamma}
        values: dict[str, Any] = {"model_name_or_path": setup.policy, "stage": "dpo", "do_train": True}
        values |= {"finetuning_type": "full", "pref_beta": training.beta} | loss
        values |= {"dataset_dir": str(setup.data.parent), "dataset": setup.data.stem}
        values |= {"eval_dataset": setup.test.stem, "eval_strategy": "epoch"} if setup.test else {}
        values |= factory_template(setup.template)
        values |= {"cutoff_len": setup.max_length, "output_dir": setup.output(method), "num_train_epochs": 1.0}
        values |= {"per_device_train_batch_size": 1, "gradient_accumulation_steps": setup.epoch.batch}
        values |= {"learning_rate": training.learning_rate, "lr_scheduler_type": "cosine"}
        values |= {"warmup_steps": setup.epoch.warmup_steps, "bf16": True, "report_to": "none"}
        head = [
            "LLaMA-Factory 0.9.5: llamafactory-cli train THIS_FILE.",
            f"Hyperparameters: the paper's Table 3, {training.row}.",
            "On several GPUs divide gradient_accumulation_steps by their number.",
            *factory_notes(setup.template),
        ]
        shown[f"{method}.yaml"] = setup.head(*head) + as_yaml(values)
    return shown
