"""Which trainers read a dataset, by which export, and how that was checked: one table, for card, README and docs."""

from __future__ import annotations

from dataclasses import dataclass

CHECKED_ON = "2026-11-25"


@dataclass(frozen=True)
class Trainer:
    """A trainer at the version that was checked; `export` is the form (--to) or more, `command` what trains with it."""

    name: str
    version: str
    export: str
    command: str
    checked: str


SAME = "its own loader: {} pairs have the token ids of the policy's template"
ALL_SAME = SAME.format("200 of 200")
TRAINERS = (
    Trainer(
        "TRL",
        "1.16.0",
        "`trl`, or train.parquet as it is",
        "`python train-dpo.py`, `train-simpo.py`",
        f"trained in the tests; {ALL_SAME}",
    ),
    Trainer("TRL's KTO", "1.16.0", "`kto`", "`python train-kto.py`", "its own loader: 400 lines read"),
    Trainer(
        "LLaMA-Factory",
        "0.9.5",
        "`llamafactory`",
        "`llamafactory-cli train NAME-dpo.yaml`, `NAME-simpo.yaml`",
        ALL_SAME,
    ),
    Trainer(
        "LLaMA-Factory's KTO",
        "0.9.5",
        "`kto`",
        "`llamafactory-cli train train-kto.yaml`",
        "its own loader: 400 lines read",
    ),
    Trainer("OpenRLHF", "0.11.2", "`conversation`", "`sh train-dpo.sh`", ALL_SAME),
    Trainer("ms-swift", "4.6.0", "`swift`", "`sh train-dpo.sh`, `train-simpo.sh`", ALL_SAME),
    Trainer("axolotl", "0.19.0", "`axolotl`", "`axolotl train train-dpo.yaml`, `train-simpo.yaml`", ALL_SAME),
    Trainer(
        "NeMo-RL",
        "7ea279ab",
        "`nemo-rl`",
        "`sh train-dpo.sh`",
        f"{ALL_SAME}; it trains the header of the answer too",
    ),
    Trainer("oumi", "0.9", "`text`", "`oumi train -c train-dpo.yaml`", ALL_SAME),
    Trainer("Unsloth", "2026.10.9", "`trl`", "as TRL", "trained 5 steps, without a GPU"),
    Trainer(
        "alignment-handbook", "925acdf", "`trl --test 5%`", "its own recipes, the folder as dataset", "its own loader"
    ),
    Trainer(
        "SimPO's scripts", "1b3e8f35", "`trl --test 5%`", "its own recipes, the folder as dataset", "its own loader"
    ),
    Trainer(
        "torchtune",
        "0.6.1",
        "`conversation`",
        "`torchtune.datasets.preference_dataset`, `source: json`",
        "its own loader; it trains headers and earlier turns too",
    ),
    Trainer("verl", "0.9.1", "`text`", "it has no DPO", f"RMDataset: {ALL_SAME.removeprefix('its own loader: ')}"),
)


def trainers_table() -> str:
    """The table in Markdown."""
    rows = [f"| {one.name} | {one.version} | {one.export} | {one.command} | {one.checked} |" for one in TRAINERS]
    head = ["| trainer | version | `evolve export RUN --to` | train with it | checked how |", "|---|---|---|---|---|"]
    return "\n".join(head + rows)
