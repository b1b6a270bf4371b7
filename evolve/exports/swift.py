"""ms-swift 4.6.0: the conversation with the chosen response, and the text of the rejected one. Checked 2026-11-25."""

from __future__ import annotations

from typing import Any

from evolve.exports.names import swift_names, swift_notes
from evolve.exports.setup import Setup, as_command


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{messages, rejected_response}: messages end with the chosen response."""
    return [{"messages": pair["prompt"] + pair["chosen"], "rejected_response": pair["rejected"][0]["content"]}]


def configs(setup: Setup) -> dict[str, str]:
    """For `sh FILE`."""
    shown = {}
    for method, training in (("dpo", setup.dpo), ("simpo", setup.simpo)):
        options: dict[str, Any] = {"--rlhf_type": method, "--model": setup.policy}
        options |= swift_names(setup.template)
        options |= {"--dataset": setup.data, "--val_dataset": setup.test}
        options |= {"--split_dataset_ratio": None if setup.test else 0, "--loss_scale": "last_round"}
        options |= {"--beta": training.beta, "--learning_rate": training.learning_rate}
        options |= {"--simpo_gamma": training.gamma, "--cpo_alpha": 0} if method == "simpo" else {}
        options |= {"--tuner_type": "full", "--torch_dtype": "bfloat16", "--max_length": setup.max_length}
        options |= {"--num_train_epochs": 1, "--per_device_train_batch_size": 1}
        options |= {"--gradient_accumulation_steps": setup.epoch.batch, "--lr_scheduler_type": "cosine"}
        options |= {"--warmup_steps": setup.epoch.warmup_steps, "--output_dir": setup.output(method)}
        head = [
            f"ms-swift 4.6.0: sh THIS_FILE. Hyperparameters: the paper's Table 3, {training.row}.",
            "On several GPUs divide --gradient_accumulation_steps by their number.",
            *swift_notes(setup.template),
        ]
        shown[f"{method}.sh"] = setup.head(*head) + as_command(["swift", "rlhf"], options)
    return shown
