"""The trainers that can be checked: what each is called, which form it reads and which package's version counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trainer:
    """One trainer: its loader is loaders/MODULE.py, its pins are requirements/MODULE.txt."""

    title: str
    form: str
    """What `evolve export --to` is given."""
    distribution: str
    """Of the package index; the pins say its version."""
    module: str
    file: str = "pairs.jsonl"
    """What is exported to; empty for a form that is a folder."""


TRAINERS = {
    "llamafactory": Trainer("LLaMA-Factory", "llamafactory", "llamafactory", "llamafactory", file=""),
    "openrlhf": Trainer("OpenRLHF", "openrlhf", "openrlhf", "openrlhf"),
    "swift": Trainer("ms-swift", "swift", "ms-swift", "swift"),
    "axolotl": Trainer("axolotl", "axolotl", "axolotl", "axolotl"),
    "oumi": Trainer("oumi", "text", "oumi", "oumi"),
    "torchtune": Trainer("torchtune", "conversation", "torchtune", "torchtune"),
    "nemo-rl": Trainer("NeMo-RL", "nemo-rl", "nemo-rl", "nemo_rl"),
}
DEFAULT = ("llamafactory", "openrlhf", "swift")
