"""TRL 1.16.0 (also alignment-handbook, Unsloth, the SimPO scripts): its explicit conversational form, as in
train.parquet, with nothing beside it. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any

from evolve.exports.setup import Setup
from evolve.recipe.loading import recipes_folder


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, lists of messages."""
    return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]


PROGRAM = "trl_train.py"  # the recipes' own, which `evolve loop` runs as it is
PRESET = "PRESET: dict[str, Any] = {}\n"


def configs(setup: Setup) -> dict[str, str]:
    """Programs for `python FILE`, or `accelerate launch FILE` on several GPUs."""
    return {f"{method}.py": _program(setup, method) for method in ("dpo", "simpo")}


def _program(setup: Setup, method: str) -> str:
    """The recipes' program with everything filled in; what is given on its command line still counts."""
    training = setup.dpo if method == "dpo" else setup.simpo
    preset: dict[str, Any] = {"method": method, "dataset": str(setup.data)}
    preset |= {"test": str(setup.test)} if setup.test else {}
    preset |= {"policy": setup.policy, "output": setup.output(method), "learning_rate": training.learning_rate}
    preset |= {"beta": training.beta} | ({"gamma": training.gamma} if method == "simpo" else {})
    preset |= {"batch": setup.epoch.batch, "max_length": setup.max_length, "warm_up": setup.epoch.warm_up}
    lines = "".join(f"    {key!a}: {value!a},\n" for key, value in preset.items())
    _, _, body = (recipes_folder() / "training" / PROGRAM).read_text(encoding="utf-8").partition("from __future__")
    head = [f"TRL 1.16.0: python THIS_FILE. Hyperparameters: the paper's Table 3, {training.row}."]
    filled = f"from __future__{body}".replace(PRESET, PRESET.replace("{}", f"{{\n{lines}}}"), 1)
    return f"{setup.head(*head)}\n{filled}"
