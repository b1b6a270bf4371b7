"""Plain text, the policy's template applied: oumi 0.9 (text_dpo_jsonl) and verl 0.9.1 (RMDataset, add_eos=False), for
trainers that know no chat template. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Protocol

from evolve.exports.setup import Setup, as_yaml
from prompts import Message

SAID = "\U000f0f0fsaid\U000f0f0f"  # an answer that no template changes and no user types


class Template(Protocol):
    """The chat template of a policy (`ChatTokenizer` is one)."""

    def render(self, messages: list[Message], *, generation_prompt: bool = False) -> str: ...


def rows(pair: dict[str, Any], template: Template, end: str, with_thoughts: bool = False) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, texts that put together are the template's. Chosen and rejected end with `end`, the
    end of a turn, once.

    `with_thoughts`: responses carry thoughts, which many templates strip from an answer; they are put behind the
    prompt as they were sampled.
    """
    asked = template.render(pair["prompt"], generation_prompt=True)
    if with_thoughts:
        return [{"prompt": asked} | {name: pair[name][0]["content"] + end for name in ("chosen", "rejected")}]
    both = {name: template.render(pair["prompt"] + pair[name]) for name in ("chosen", "rejected")}
    if not all(text.startswith(asked) for text in both.values()):
        # The template opens thoughts for whoever goes on, and writes none before an answer.
        probe = template.render([*pair["prompt"], {"role": "assistant", "content": SAID}])
        asked = probe.partition(SAID)[0]
    return [{"prompt": asked} | {name: _ended(text.removeprefix(asked), end) for name, text in both.items()}]


def _ended(text: str, end: str) -> str:
    """`text` up to the end of its turn; some templates write a line break after it, some open the next turn instead."""
    before, found, after = text.rpartition(end)
    return before + end if found and not after.strip() else text + end


def configs(setup: Setup) -> dict[str, str]:
    """For `oumi train -c FILE`. verl has no DPO."""
    files = {"train": setup.data} | ({"validation": setup.test} if setup.test else {})
    data = {
        split: {"datasets": [{"dataset_name": "text_dpo_jsonl", "dataset_path": str(path)}]}
        for split, path in files.items()
    }
    training: dict[str, Any] = {"trainer_type": "TRL_DPO", "output_dir": setup.output("dpo"), "num_train_epochs": 1}
    training |= {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": setup.epoch.batch,
        "optimizer": "adamw_torch",
    }
    training |= {"learning_rate": setup.dpo.learning_rate, "lr_scheduler_type": "cosine"}
    training |= {"warmup_steps": setup.epoch.warmup_steps}
    training |= {"trainer_kwargs": {"beta": setup.dpo.beta, "max_length": setup.max_length}}
    model = {"model_name": setup.policy, "model_max_length": setup.max_length, "torch_dtype_str": "bfloat16"}
    head = [
        f"oumi 0.9: oumi train -c THIS_FILE. Hyperparameters: the paper's Table 3, {setup.dpo.row}.",
        "On several GPUs divide gradient_accumulation_steps by their number.",
    ]
    text = as_yaml({"model": model, "data": data, "training": training})
    return {"dpo.yaml": setup.head(*head) + text}
