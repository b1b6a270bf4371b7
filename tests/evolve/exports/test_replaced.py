"""An export over an earlier one replaces all of it: nothing of another form stays behind, and nobody's file goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolve.exports.export import export
from evolve.exports.forms import FORMS
from evolve.run import Run
from fake_runs import fake_recipe, make, prompt, write_source
from prompts.errors import UserError
from templated_runs import view


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make(fake_recipe(write_source(folder / "x.jsonl", [prompt(i) for i in range(12)])), folder / "run")
    return folder / "run"


@pytest.fixture
def run(folder: Path) -> Run:
    (folder / "exports.json").unlink(missing_ok=True)
    return view(folder)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, str]:
    """What lies in a folder, wherever that is."""
    return {path.name: path.read_text(encoding="utf-8").replace(str(folder), "FOLDER") for path in folder.iterdir()}


def test_every_form_over_every_other_leaves_just_its_own_files(run: Run, tmp_path: Path) -> None:
    forms = [form for form in FORMS if form not in ("text", "llamafactory")]  # which need a tokenizer, a folder
    alone = {}
    for form in [*forms, "responses"]:
        export(run, form, tmp_path / form / "pairs.jsonl")
        alone[form] = contents(tmp_path / form)
    out = tmp_path / "one" / "pairs.jsonl"
    for form in ["kto", *forms, "kto", "responses", "trl"]:
        said = export(run, form, out)
        assert contents(out.parent) == alone[form], (form, said)


def test_what_goes_is_told(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    export(run, "kto", out)
    said = export(run, "swift", out)
    for name in ("pairs-kto.py", "pairs-kto.yaml"):
        assert f"removed {tmp_path / name}: of an earlier export" in said
    assert f"removed pairs from {tmp_path / 'dataset_info.json'}: of an earlier export" in said
    assert "removed" not in export(run, "swift", out)


def test_what_was_changed_or_is_somebody_else_s_stays(run: Run, tmp_path: Path) -> None:
    out, info = tmp_path / "pairs.jsonl", tmp_path / "dataset_info.json"
    export(run, "kto", out)
    (tmp_path / "pairs-dpo.yaml").write_text("of somebody else")
    (tmp_path / "pairs-kto").mkdir()  # where a trained policy lies
    (tmp_path / "pairs-kto.py").write_text("edited")
    described = json.loads(info.read_text())
    described["pairs"]["num_samples"] = 3
    info.write_text(json.dumps(described | {"other": {"file_name": "other.jsonl"}}))
    said = export(run, "swift", out)
    left = {"pairs-dpo.yaml", "pairs-kto", "pairs-kto.py", "dataset_info.json"}
    assert names(tmp_path) == left | {"pairs.jsonl", "pairs-dpo.sh", "pairs-simpo.sh"}
    assert (tmp_path / "pairs-kto.py").read_text() == "edited"
    assert f"{tmp_path / 'pairs-kto.py'} is of an earlier export, and stays: it was changed since" in said
    assert f"pairs in {info} is of an earlier export, and stays: it was changed since" in said
    assert set(json.loads(info.read_text())) == {"pairs", "other"}


def test_an_entry_of_another_form_is_replaced_as_a_whole(run: Run, tmp_path: Path) -> None:
    """A file that two forms of LLaMA-Factory write; what one says of it is wrong of the other."""
    out, info = tmp_path / "fake.jsonl", tmp_path / "dataset_info.json"
    export(run, "llamafactory", tmp_path)
    assert json.loads(info.read_text())["fake"]["ranking"] is True
    export(run, "kto", out)
    entry = json.loads(info.read_text())["fake"]
    assert entry["columns"] == {"messages": "messages", "kto_tag": "label"}
    assert "ranking" not in entry
    assert names(tmp_path) == {"fake.jsonl", "fake-kto.py", "fake-kto.yaml", "dataset_info.json"}
    info.write_text(json.dumps({"fake": {"file_name": "fake.jsonl", "ranking": True, "subset": "theirs"}}))
    with pytest.raises(UserError, match=r"describes another dataset by the name fake.*--force"):
        export(run, "kto", out)
    export(run, "kto", out, force=True)
    assert json.loads(info.read_text()) == {"fake": entry}


def test_a_held_out_set_that_is_asked_for_no_more_goes(run: Run, tmp_path: Path) -> None:
    """Its pairs are in the training set again: a folder that `datasets` reads as two splits would have them in both."""
    export(run, "llamafactory", tmp_path, test="40%")
    assert {"fake-test", "fake"} == set(json.loads((tmp_path / "dataset_info.json").read_text()))
    export(run, "llamafactory", tmp_path)
    assert not (tmp_path / "fake-test.jsonl").exists()
    assert set(json.loads((tmp_path / "dataset_info.json").read_text())) == {"fake"}
    export(run, "trl", tmp_path, test="40%")
    assert {"train.jsonl", "test.jsonl", "fake.jsonl"} < names(tmp_path)  # exports of other names are left alone
    export(run, "trl", tmp_path / "train.jsonl")
    assert "test.jsonl" not in names(tmp_path)


def test_a_description_that_can_not_be_read_stops_no_export_that_needs_none(run: Run, tmp_path: Path) -> None:
    out, info = tmp_path / "pairs.jsonl", tmp_path / "dataset_info.json"
    export(run, "kto", out)
    info.write_text("{")
    assert "pairs of an earlier export may still be in" in export(run, "trl", out)
    assert info.read_text() == "{"


@pytest.mark.parametrize("kept", ["[]", '{"x": 1}', '{"/x": {"files": 3, "entries": []}}', "{"])
def test_a_damaged_memory_of_exports_only_costs_force(kept: str, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    export(run, "trl", out)
    (run.folder / "exports.json").write_text(kept)
    with pytest.raises(UserError, match="--force"):
        export(run, "trl", out)
    export(run, "trl", out, force=True)
    export(run, "trl", out)
