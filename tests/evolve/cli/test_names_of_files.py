"""Names of files that are not ASCII, in the C locale; and names of bytes that are no text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evolve.api import grow, open_dataset
from evolve.exports.export import export
from evolve.run import Run
from fake_runs import fake_recipe, prompt, write_source
from prompts.errors import UserError
from tiny_models import scalar

CODE = "import sys; from evolve.cli.program import main; sys.argv[0] = 'evolve'; main()"
PLAIN = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NO_TEXT = os.fsdecode(b"run-\xff\xfe")


def _evolve(folder: Path, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | PLAIN | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"HOME": str(home)} if home else {}
    return subprocess.run([sys.executable, "-c", CODE, *arguments], cwd=folder, capture_output=True, env=environment)


def test_names_that_are_not_ascii_in_the_c_locale(tmp_path: Path) -> None:
    """The run's folder, the prompts' file and column of parquet, --out, the reward model's folder, HOME and the working
    directory.
    """
    here, home = tmp_path / "gens d'été", tmp_path / "日本"
    for folder in (here, home):
        folder.mkdir()
    write_source(here / "prömpts.jsonl", [prompt(i) for i in range(4)])
    scalar(here / "modèle")
    text = '[prompts]\nsource = "./prömpts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "./modèle"\n'
    (here / "mine.toml").write_text(text + '[evolve]\nstrategies = ["deepen"]\n', encoding="utf-8")
    (here / "zeilen ß.jsonl").write_text('{"prompt": "a", "response": "b"}\n', encoding="utf-8")
    for arguments in (
        ["run", "mine.toml", "--run", "./läufe/eins"],
        ["status", "./läufe/eins"],
        ["select", "./läufe/eins", "--metric", "eva"],
        ["export", "./läufe/eins", "--format", "trl", "--out", "./aus/ü.jsonl"],
        ["score", "zeilen ß.jsonl", "--reward", "./modèle", "--out", "./aus/ß.jsonl"],
    ):
        done = _evolve(here, *arguments, home=home)
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
    assert list((here / "läufe" / "eins" / "pool").glob("responses/*/*.parquet"))
    assert (here / "aus" / "ü.jsonl").read_text(encoding="utf-8").count("\n") > 0
    assert "score" in json.loads((here / "aus" / "ß.jsonl").read_text(encoding="utf-8"))
    assert "läufe/eins" in done.stdout.decode() or b"aus" in done.stdout
    missing = _evolve(here, "status", "./läufe/zwei")
    assert missing.returncode == 2
    assert "läufe/zwei" in missing.stderr.decode()


def test_the_library_in_the_c_locale(tmp_path: Path) -> None:
    """A program of someone else's is not begun anew: names as the system gives them are read, others are told of."""
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    code = (
        "import os, sys\n"
        "from evolve import grow, load_recipe, UserError\n"
        "from evolve.recipe.loading import override_recipe\n"
        "fake = {'model': 'fake'}\n"
        "data = {'name': 'x', 'prompts': {'source': 'x.jsonl'}, 'policy': fake, 'reward': fake}\n"
        "made = grow(override_recipe(data, {}, 'here'), os.fsdecode('\\u00e9'.encode()))\n"
        "print(len(list(made.pairs())) > 0)\n"
        "try: override_recipe(data, {'prompts.source': '\\u00e9.jsonl'}, 'here')\n"
        "except UserError as error: print('encoding' in str(error))\n"
    )
    environment = os.environ | PLAIN | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, env=environment)
    assert done.stdout.split() == [b"True", b"True"], done.stderr.decode()


def test_a_run_in_a_folder_of_no_text(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    folder = tmp_path / NO_TEXT
    made = grow(fake_recipe(source), folder)
    assert list(open_dataset(made.folder).pairs()) == list(made.pairs()) != []
    for form in ("trl", "openrlhf", "responses"):
        export(Run(fake_recipe(source), folder, view_only=True), form, tmp_path / f"{NO_TEXT}-{form}.jsonl")
        assert (tmp_path / f"{NO_TEXT}-{form}.jsonl").stat().st_size
    again: Any = grow(fake_recipe(source), folder).manifest["model_calls"]
    assert set(again.values()) == {0}


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".arrow"])
def test_a_source_of_no_text_is_told_by_its_key(tmp_path: Path, ending: str) -> None:
    """Its name could be stored in no recipe."""
    with pytest.raises(UserError, match=r"prompts\.source: text that is not Unicode"):
        fake_recipe(tmp_path / f"{NO_TEXT}{ending}")
    folder = tmp_path / "é"
    folder.mkdir()
    shutil.copy(write_source(tmp_path / "x.jsonl", [prompt(0), prompt(1)]), folder / "ü.jsonl")
    assert grow(fake_recipe(folder / "ü.jsonl"), tmp_path / "ß").manifest["rows"]["prompts"]["kept"] == 2


def test_the_command_line_with_names_of_no_text(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    text = '[prompts]\nsource = "./x.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    (tmp_path / f"{NO_TEXT}.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    for arguments, code in (
        (["run", "mine.toml", "--run", f"./{NO_TEXT}"], 0),
        (["status", f"./{NO_TEXT}"], 0),
        (["export", f"./{NO_TEXT}", "--format", "trl", "--out", f"{NO_TEXT}.out"], 0),
        (["score", f"{NO_TEXT}.jsonl", "--reward", "fake", "--out", f"{NO_TEXT}.scores"], 0),
        (["run", "mine.toml", "--policy", f"./{NO_TEXT}"], 2),
        (["score", f"{NO_TEXT}.jsonl", "--reward", f"./{NO_TEXT}", "--out", f"{NO_TEXT}.none"], 2),
        (["status", f"{NO_TEXT}/absent"], 2),
    ):
        done = _evolve(tmp_path, *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert b"Traceback" not in done.stderr
