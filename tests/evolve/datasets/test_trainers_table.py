"""The table of trainers is one, wherever it is shown, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evolve.datasets.trainers import TRAINERS, trainers_table
from evolve.exports.forms import FORMS
from evolve.exports.paper import training
from evolve.exports.setup import Setup
from fake_runs import fake_recipe, make, prompt, write_source
from places import ROOT


@pytest.mark.parametrize("page", ["README.md", "docs/trainers.md"])
def test_the_pages_show_the_table_of_the_code(page: str) -> None:
    assert f"\n{trainers_table()}\n" in (ROOT / page).read_text(encoding="utf-8"), "paste trainers_table() there"


def test_the_card_shows_it(tmp_path: Path) -> None:
    made = make(fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])), tmp_path / "run")
    assert f"\n{trainers_table()}\n" in (made.folder / "README.md").read_text(encoding="utf-8")


def test_it_names_every_form_and_configurations_that_are_written() -> None:
    named = {form for one in TRAINERS for form in FORMS if re.search(rf"`{form}( --test 5%)?`", one.export)}
    assert named == FORMS.keys() - {"openrlhf"}
    dpo, simpo = training("", "", 1)
    setup = Setup(Path("/data/train.jsonl"), None, 1, "policy", dpo, simpo, 2048)
    for one in TRAINERS:
        form = next(form for form in FORMS if f"`{form}" in one.export)
        written = {f"train-{end}" for end in FORMS[form].configs(setup)}
        assert {f"train-{end}" for end in re.findall(r"(?:train|NAME)-(\w+\.\w+)", one.command)} <= written


def test_versions_are_those_that_the_forms_name() -> None:
    for one in TRAINERS:
        form = next(form for form in FORMS if f"`{form}" in one.export)
        if form == "trl" and one.name != "TRL":
            continue  # they load by TRL or by `datasets`
        text = (ROOT / "evolve" / "exports" / f"{form.replace('-', '_')}.py").read_text(encoding="utf-8")
        assert one.version in text
