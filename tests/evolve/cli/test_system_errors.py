"""What the system refuses, at every door: one sentence with the file's name and exit code 2, never a traceback.

EVOLVE_FUZZ_COMMANDS says with how many commands each door is tried (12 is all), EVOLVE_FUZZ_SEED which come first.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolve.api import grow, select
from evolve.cli.program import main
from evolve.cli.terminal import of_the_system
from fake_runs import fake_recipe, prompt, write_source
from prompts.errors import UserError

N_COMMANDS = int(os.environ.get("EVOLVE_FUZZ_COMMANDS", "1"))
SEED = int(os.environ.get("EVOLVE_FUZZ_SEED", "0"))
Evolve = Callable[..., tuple[int, str, str]]
RECIPE = '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
RECIPE += '[evolve]\nstrategies = ["deepen"]\ntemplates = "./templates"\n[sampling]\nn = 2\n'
COMMANDS = (
    ["run", "mine.toml"],
    ["run", "mine.toml", "--iter", "2", "--policy", "fake"],
    ["check", "mine.toml"],
    ["select", "mine"],
    ["select", "mine", "--metric", "eva"],
    ["status", "mine"],
    ["annotate", "mine"],
    ["annotate", "mine", "--reward", "fake:7"],
    ["export", "mine", "--format", "trl", "--out", "out/trl.jsonl"],
    ["export", "mine", "--format", "llamafactory", "--out", "out"],
    ["export", "mine", "--format", "responses", "--out", "out/responses.jsonl"],
    ["score", "lines.jsonl", "--reward", "fake", "--out", "out/scores.jsonl"],
)
DOORS = (
    "prompts.jsonl",
    "mine.toml",
    "lines.jsonl",
    "templates",
    "templates/deepen.txt",
    "out",
    "out/trl.jsonl",
    "out/mine.jsonl",
    "out/dataset_info.json",
    "out/responses.jsonl",
    "out/scores.jsonl",
    "runs",
    "runs/mine",
    "runs/mine/exports.json",
    "runs/mine/iteration-1",
    "runs/mine/iteration-1/recipe.json",
    "runs/mine/iteration-1/evolve-then-select",
    "runs/mine/iteration-1/evolve-then-select/*",
    "runs/mine/iteration-1/evolve-then-select/*/train.parquet",
    "runs/mine/iteration-1/evolve-then-select/*/manifest.json",
    "runs/mine/pool",
    "runs/mine/pool/sampler.lock",
    "runs/mine/pool/settings",
    "runs/mine/pool/settings/x-*.json",
    "runs/mine/pool/settings/sampler-*.json",
    "runs/mine/pool/prompts",
    "runs/mine/pool/prompts/*.parquet",
    "runs/mine/pool/responses",
    "runs/mine/pool/responses/*",
    "runs/mine/pool/responses/*/*.parquet",
    "runs/mine/pool/rewards",
    "runs/mine/pool/rewards/*.lock",
    "runs/mine/pool/rewards/*/*.parquet",
)


def _in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere/at/all")


def _a_file(path: Path) -> None:
    path.write_text("text")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "in a circle": _in_a_circle,
    "dangling": _dangling,
    "a folder": Path.mkdir,
    "a file": _a_file,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, a finished run and what was exported of it."""
    folder = tmp_path_factory.mktemp("whole")
    write_source(folder / "prompts.jsonl", [prompt(i) for i in range(4)])
    (folder / "mine.toml").write_text(RECIPE, encoding="utf-8")
    (folder / "templates").mkdir()
    (folder / "templates" / "deepen.txt").write_text("Make this prompt harder.\n\n{prompt}\n", encoding="utf-8")
    (folder / "lines.jsonl").write_text('{"prompt": "a", "response": "b"}\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in COMMANDS:
            patch.setattr(sys, "argv", ["evolve", *command])
            with pytest.raises(SystemExit) as stop:
                main()
            assert not stop.value.code, command
    return folder


@pytest.fixture
def evolve(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evolve:
    """A command in a copy of `whole` where something else lies in a file's place: exit code, stdout, stderr."""

    def call(arguments: list[str], door: str, damage: str) -> tuple[int, str, str]:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        for path in sorted(folder.glob(door)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            DAMAGE[damage](path)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["evolve", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capsys.readouterr()

    return call


@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_lies_in_a_files_place_shows_no_traceback(evolve: Evolve, damage: str, whole: Path) -> None:
    for door in DOORS:
        assert list(whole.glob(door)), door
        for command in random.Random(f"{SEED} {damage} {door}").sample(COMMANDS, N_COMMANDS):
            code, out, err = evolve(command, door, damage)
            assert "Traceback" not in out + err, (command, door, err[-900:])
            assert code in (0, 1, 2), (command, door)


@pytest.mark.parametrize(
    ("door", "command"),
    [
        ("prompts.jsonl", ["run", "mine.toml"]),
        ("templates", ["run", "mine.toml"]),
        ("templates", ["check", "mine.toml"]),
        ("runs/mine/iteration-1/recipe.json", ["select", "mine", "--iter", "1"]),
        ("runs/mine/pool/settings/x-*.json", ["select", "mine"]),
    ],
)
def test_links_that_lead_in_a_circle(evolve: Evolve, door: str, command: list[str]) -> None:
    code, out, err = evolve(command, door, "in a circle")
    assert "Traceback" not in out + err
    assert code == (0 if command[0] == "check" else 2)


def test_a_kept_recipe_that_can_not_be_read_is_not_called_damaged(evolve: Evolve, whole: Path) -> None:
    recipe = "runs/mine/iteration-1/recipe.json"
    code, _, err = evolve(["select", "mine", "--iter", "1"], recipe, "a folder")
    assert code == 2
    assert f"{recipe} can't be read (Is a directory)" in err
    assert "damaged" not in err
    code, _, err = evolve(["run", "mine.toml"], recipe, "a folder")  # nor is it made anew over what it was
    assert code == 2
    assert "can't be read" in err
    if os.geteuid() != 0:  # nothing is unreadable to root
        Path(recipe).rmdir()
        shutil.copy(whole / recipe, recipe)
        Path(recipe).chmod(0)
        with pytest.raises(UserError, match="Permission denied"):
            select(Path("runs/mine"), iteration=1)


NUMBERS = "ENOSPC EDQUOT EROFS ENAMETOOLONG EIO ELOOP ENOTDIR EISDIR EACCES EPERM EMFILE ENFILE EFBIG ESTALE ENOENT"


@pytest.mark.parametrize("name", NUMBERS.split())
def test_each_refusal_is_a_sentence_with_the_file_and_a_way_out(name: str) -> None:
    number = getattr(errno, name)
    said = of_the_system(OSError(number, os.strerror(number), "/data/x.parquet"))
    assert said.startswith(f"/data/x.parquet can't be used ({os.strerror(number)}). ")
    assert said.count("\n") == 0
    assert of_the_system(OSError(number, os.strerror(number)))  # write() names no file
    assert "b.json" in of_the_system(OSError(number, os.strerror(number), b"b.json"))


def test_what_is_no_refusal_of_a_file_is_a_bug_still() -> None:
    assert of_the_system(OSError("no number")) == ""
    assert of_the_system(ConnectionResetError(errno.ECONNRESET, "reset")) == ""


def test_an_output_that_takes_nothing_changes_no_exit_code(whole: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    code = "import sys; from evolve.cli.program import main; sys.argv[0] = 'evolve'; main()"
    with open("/dev/full", "wb") as full:
        for arguments, stderr in ((["--help"], subprocess.PIPE), (["status", "mine"], full), (["status", "x"], full)):
            done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=whole, stdout=full, stderr=stderr)
            assert done.returncode == 2, arguments
            assert b"Traceback" not in (done.stderr or b"")


@pytest.mark.parametrize("iteration", [0, -1, 3_000_000_000, True, 1.5, "2"])
def test_an_iteration_is_a_number_of_nine_digits_in_the_library_too(tmp_path: Path, iteration: Any) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])
    with pytest.raises(UserError, match=r"No iteration .*expected a whole number from 1 to 999999999"):
        grow(fake_recipe(source), tmp_path / "run", iteration=iteration)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="No iteration"):
        select(tmp_path / "run", iteration=iteration)
