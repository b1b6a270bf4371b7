"""What the recipe and the command line offer by name is what there is."""

from __future__ import annotations

import importlib.util
import tomllib
from typing import Any, get_args

import pytest

from evolve.algorithms import ALGORITHMS
from evolve.exports.forms import FORMS
from evolve.recipe.choices import Algorithm, ExportForm, GuardCheck, GuardName, MetricName, PairRule
from places import ROOT
from selection.guard import PRESETS
from selection.metrics import METRICS
from selection.pairs import RULES, Guard

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_every_choice_is_there_and_everything_there_is_a_choice() -> None:
    offered: dict[Any, Any] = {
        Algorithm: ALGORITHMS,
        MetricName: METRICS,
        PairRule: [*RULES, "given"],  # of existing data: no rule picks among responses
        GuardName: get_args(Guard),
        GuardCheck: PRESETS["strict"],
        ExportForm: [*FORMS, "responses"],  # of the pool, not of a dataset
    }
    for choice, there in offered.items():
        assert sorted(get_args(choice)) == sorted(there)
    assert sorted(PRESETS) == sorted(get_args(GuardName))


@pytest.mark.parametrize(
    ("room", "shared"),
    [
        (
            "evolve.exports",
            {
                "dataset_info",
                "export",
                "forms",
                "lines",
                "names",
                "paper",
                "seen",
                "setup",
                "split",
                "template",
                "written",
            },
        ),
        ("rewards.models", set()),
        ("generation.engines", {"lifeline", "options"}),
    ],
)
def test_every_file_of_a_kind_is_held_to_be_independent_of_the_others(room: str, shared: set[str]) -> None:
    folder = ROOT / room.replace(".", "/")
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"} - shared
    independent = {
        module.rpartition(".")[2]
        for contract in CONTRACTS
        if contract["type"] == "independence"
        for module in contract["modules"]
        if module.startswith(f"{room}.")
    }
    assert independent == files
    assert all(importlib.util.find_spec(f"{room}.{name}") for name in files)
