"""A name is a name, a path looks like one, and what --out may be written over."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.folders import checked_path, run_folder
from evolve.cli.program import main
from evolve.pool.output import output_file
from fake_runs import prompt, write_source
from prompts.errors import UserError

Evolve = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Evolve:
    """The command in this process, in a folder with a recipe and a finished run: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(6)])
    text = '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    (tmp_path / "mine.toml").write_text("\ufeff" + text + '[evolve]\nstrategies = ["deepen"]\n', encoding="utf-8")

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    assert call("run", "mine.toml")[0] == 0  # its byte order mark is no content
    return call


def test_a_name_keeps_its_place_whatever_lies_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first").mkdir()
    assert run_folder("first") == Path("runs/first")
    assert run_folder("./first") == Path("first")
    assert run_folder("~/first") == Path.home() / "first"


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a b", "a\nb", ".hidden", "~", "\x1b[31m", "é", "a" * 300])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not the name of a run") as error:
        run_folder(name)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "path", ["", " ", "./a\0b", "./" + "a" * 300, "./" + "é" * 200, "~nosuchuser/x", "./\ud800", "x/" * 3000]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(UserError):
        checked_path(path)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "", ".", "a/b", "x\n"])
def test_a_recipe_s_name_is_a_name(evolve: Evolve, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, _, err = evolve("run", "mine.toml", "--set", f"name={name!r}" if "\n" not in name else 'name="x\\n"')
    assert code == 2
    assert "expected a name" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_shipped_recipe_is_named_not_reached_by_a_path(evolve: Evolve, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("")
    for name in ("../recipes/default", str(tmp_path / "other"), "", "."):
        code, _, err = evolve("check", name)
        assert code == 2
        assert "No recipe" in err


def test_a_run_s_own_files_are_never_written_over(evolve: Evolve, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    (dataset,) = run.glob("iteration-1/*/*")
    own = [
        run / "iteration-1" / "recipe.json",
        run / "pool" / "new.jsonl",
        next(run.glob("pool/responses/*/*.parquet")),
    ]
    own += [dataset / name for name in ("train.parquet", "selected.parquet", "manifest.json", "README.md")]
    own += [folder / "mine.jsonl" for folder in (run, run / "new", run / "iteration-1", dataset, run / "pool" / "x")]
    (tmp_path / "link").symlink_to(own[0])
    (tmp_path / "folder").symlink_to(dataset)
    own += [tmp_path / "folder" / "mine.jsonl", tmp_path / "folder" / ".." / "mine.jsonl"]
    own += [tmp_path / "runs" / "absent" / ".." / "mine" / "mine.jsonl"]
    before = {path: path.read_bytes() for path in own if path.exists()}
    write_source(tmp_path / "lines.jsonl", [])
    (tmp_path / "lines.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    for out in [*own, tmp_path / "link", "", ".", "./" + "a" * 300]:
        for command in (
            ["export", "mine", "--to", "trl", "--force", "--out", out],
            ["export", "mine", "--to", "responses", "--out", out],
            ["score", "lines.jsonl", "--reward", "fake", "--force", "--out", out],
            ["annotate", "lines.jsonl", "--reward", "fake", "--force", "--out", out],
        ):
            code, said, err = evolve(*command)
            assert (code, said) == (2, ""), command
            assert "Traceback" not in err
    for folder in (path.parent for path in own if path.name == "mine.jsonl"):
        assert evolve("export", "mine", "--format", "llamafactory", "--force", "--out", folder)[0] == 2
    assert before == {path: path.read_bytes() for path in before}
    assert not [path for path in own if path.name in ("new.jsonl", "mine.jsonl") and path.exists()]


def test_a_run_that_has_lost_its_recipe_is_a_run_still(evolve: Evolve, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    (run / "iteration-1" / "recipe.json").unlink()
    with pytest.raises(UserError, match="in the folder of the run"), output_file(run / "x.jsonl"):
        pass
    with output_file(tmp_path / "runs" / "x.jsonl") as file:  # beside runs there is room
        file.write(b"x")


def test_a_device_or_pipe_stays_what_it_is(evolve: Evolve, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert evolve("export", "mine", "--to", "trl", "--out", pipe)[0] == 0
    reader.join(10)
    assert pipe.is_fifo()
    assert read[0].count(b"\n") > 0
    if os.path.exists("/dev/full"):
        code, _, err = evolve("export", "mine", "--to", "trl", "--out", "/dev/full")
        assert code == 2
        assert "full" in err
    assert evolve("export", "mine", "--format", "trl", "--out", "/dev/null")[0] == 0
    assert Path("/dev/null").is_char_device()


def test_what_a_link_points_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    with output_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_an_iteration_has_nine_digits_at_most(evolve: Evolve) -> None:
    for command in (["run", "mine.toml", "--policy", "fake"], ["select", "mine"], ["annotate", "mine"]):
        code, _, err = evolve(*command, "--iter", "3000000000")
        assert code == 2
        assert "than or equal to 999999999" in " ".join(err.replace("│", " ").split())


def test_the_commands_that_are_told_can_be_copied(evolve: Evolve) -> None:
    for run, typed in (("./my run", "'my run"), ("./one", "./one"), ("./-x", "./-x")):
        code, out, _ = evolve("run", "mine.toml", "--run", run)
        assert code == 0
        line = next(line for line in out.splitlines() if "evolve status" in line)
        assert line.split("evolve status ")[1] in (typed, f"'{run}'")
