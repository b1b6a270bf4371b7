"""The command line: what it prints where, its exit codes, and how little it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import app, main
from fake_runs import NO_CALLS, prompt, write_source

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)
HEAVY = ("torch", "vllm", "transformers", "datasets", "pyarrow", "ray", "numpy")
Evolve = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Evolve:
    """The command in this process, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(6)])
    text = '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    (tmp_path / "mine.toml").write_text(text + '[evolve]\nstrategies = ["deepen", "breadth"]\n', encoding="utf-8")
    return str(tmp_path / "mine.toml")


def _manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return content


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def test_the_commands_there_are() -> None:
    assert {"run", "status", "select", "export", "check"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command: str, evolve: Evolve) -> None:
    code, out, err = evolve(command, "--help")
    assert (code, err) == (0, "")
    assert f"evolve {command} [OPTIONS]" in " ".join(out.split())
    assert evolve("--help")[1].count(f" {command} ") >= 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, evolve.cli.program\n"
        "sys.argv = ['evolve', *sys.argv[1:]]\n"
        "try: evolve.cli.program.main()\n"
        f"finally: print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    for arguments in (["--help"], ["run", "--help"], ["check", "llama3-8b"]):
        done = _python(code, *arguments)
        assert done.returncode == 0
        assert done.stderr.split() == []
        assert done.stdout


def test_packages_load_nothing_heavy() -> None:
    code = f"import sys, prompts, rewards, generation, selection; print([n for n in {HEAVY[:6]} if n in sys.modules])"
    assert _python(code).stdout == "[]\n"


def test_results_go_to_stdout_and_all_else_to_stderr(recipe: str, tmp_path: Path) -> None:
    code = "import sys; from evolve.cli.program import main; sys.argv[0] = 'evolve'; main()"
    done = _python(code, "run", recipe, "--run", str(tmp_path / "run"))
    assert done.returncode == 0
    (folder,) = tmp_path.glob("run/iteration-1/evolve-then-select/*")
    rows = _manifest(folder)["rows"]
    assert done.stdout.startswith(f"{folder / 'train.parquet'}: {rows['train']['kept']} preference pairs\n")
    assert "evolve select" in done.stdout
    assert "rewrites" in done.stderr
    assert "INFO" not in done.stdout
    assert "tokens/s" not in done.stdout

    path = next((tmp_path / "run" / "pool").glob("responses/*/*.parquet"))
    path.write_bytes(b"")
    done = _python(code, "run", recipe, "--run", str(tmp_path / "run"))
    assert done.returncode == 0
    assert f"{path} is damaged" in done.stderr
    assert "damaged" not in done.stdout
    done = _python(code, "check", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("evolve: No recipe 'nothing'")


def test_a_run_by_name_then_other_views_of_it(evolve: Evolve, recipe: str, tmp_path: Path) -> None:
    code, out, _ = evolve("run", recipe, "--k", "50%", "--metric", "map", "--alpha", "0.5")
    assert code == 0
    folder = tmp_path / "runs" / "mine" / "iteration-1" / "evolve-then-select"
    assert "runs/mine/iteration-1/evolve-then-select/map-alpha0.5-k50pct/train.parquet" in out
    made = _manifest(folder / "map-alpha0.5-k50pct")
    assert made["ranking"]["selected"] == -(-made["ranking"]["ranked"] // 2)

    for arguments, name in (
        (["--metric", "eva"], "eva-k20pct"),  # what `run` was told about k is not the next command's default
        (["--metric", "eva", "-k", "3"], "eva-k3"),
        (["--alpha", "5", "--set", "selection.guard=paper"], "map-alpha5-k20pct-guard_paper"),
    ):
        code, out, _ = evolve("select", "mine", *arguments)
        assert code == 0
        assert f"evolve-then-select/{name}/train.parquet" in out
        assert _manifest(folder / name)["model_calls"] == NO_CALLS
    code, out, _ = evolve("select", "mine", "--metric", "map,eva, uniform", "--alpha", "1", "-k", "5")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["map", "eva", "uniform"]
    assert all((folder / name / "train.parquet").exists() for name in ("map-alpha1-k5", "eva-k5", "uniform-k5"))
    code, out, err = evolve("select", "mine", "--metric", "eva,best", "-k", "6")
    assert (code, out) == (2, "")
    assert "selection.metric: expected 'map', 'eva'" in err
    assert not (folder / "eva-k6").exists()  # all are looked at before one is written
    code, out, _ = evolve("select", tmp_path / "runs" / "mine", "--algo", "select-then-evolve")
    assert code == 0
    assert (tmp_path / "runs/mine/iteration-1/select-then-evolve/map-alpha2.5-k20pct/train.parquet").exists()

    code, out, _ = evolve("status", "mine")
    assert code == 0
    assert "6 initial, 12 rewrites" in out
    assert out.count("train.parquet: ") == 8
    assert made["rows"]["train"]["kept"] in [
        int(line.split()[-2]) for line in out.splitlines() if "map-alpha0.5" in line
    ]


def test_set_reaches_every_section(evolve: Evolve, recipe: str) -> None:
    code, out, err = evolve("check", recipe, "--set", "sampling.n=8", "--set", "policy.engine={delay = 0.1}")
    assert (code, err) == (0, "")
    resolved = json.loads(out)
    assert resolved["sampling"]["n"] == 8
    assert resolved["policy"]["engine"] == {"delay": 0.1}


def test_status_of_a_run_that_is_not_finished(evolve: Evolve, recipe: str) -> None:
    code, _, err = evolve("run", recipe, "--run", "./here", "--k", "12")
    assert code == 2
    assert "k is 12 but the set to select from has" in err
    code, out, _ = evolve("status", "./here")
    assert code == 0
    assert "6 initial" in out
    assert "no dataset yet" in out
    code, _, _ = evolve("select", "./here", "--k", "2")  # all rows are there: only the choice was missing
    assert code == 0


def test_select_does_not_begin_a_run_nor_grow_one(evolve: Evolve, recipe: str) -> None:
    assert evolve("run", recipe)[0] == 0
    for setting in ("sampling.n=6", "sampling.seed=1", 'evolve.strategies=["reasoning"]', "reward.model=fake:9"):
        code, out, err = evolve("select", "mine", "--set", setting)
        assert (code, out) == (2, "")
        assert "`evolve run`" in err


@pytest.mark.parametrize("command", [["status"], ["select"], ["export", "--to", "trl", "--out", "x"]])
def test_an_unknown_run_is_told_the_known_ones(evolve: Evolve, recipe: str, command: list[str], tmp_path: Path) -> None:
    code, out, err = evolve(command[0], "nowhere", *command[1:])
    assert (code, out) == (2, "")
    assert "No run at runs/nowhere" in err
    assert "none" in err
    assert evolve("run", recipe, "--run", "there")[0] == 0
    assert "Runs there are: there" in evolve(command[0], "nowhere", *command[1:])[2]
    assert not (tmp_path / "runs" / "nowhere").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["run", "--iter", "0"],
        ["run", "--set"],
        ["run", "one", "two"],
        ["select"],
        ["check", "--metric", "eva"],
    ],
)
def test_wrong_usage_ends_with_code_2(evolve: Evolve, arguments: list[str]) -> None:
    code, out, err = evolve(*arguments)
    assert (code, out) == (2, "")
    assert "Error" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "sampling.n"], "expected key=value"),
        (["--set", "sampling.n=1"], "sampling.n"),
        (["--set", "selection.metric=best"], "selection.metric"),
        (["--alpha", "much"], "a number from 0 to 1000000, or 'auto'"),
        (["--set", "algorithm=none"], "algorithm"),
        (["--k", "0"], "selection.k"),
        (["--set", "prompts.source=./absent.jsonl"], "absent.jsonl"),
        (["--set", "prompts.limit=7"], "6 different prompts"),
        (["--set", "prompts.column=text"], "no column text"),
        (["--set", 'evolve.strategies=["bolder"]'], "bolder"),
        (["--set", "evolve.templates=./absent"], "absent"),
        (["--policy", "./absent"], "'./absent'"),
        (["--set", "reward.model=./absent"], "'./absent'"),
        (["--set", "reward.model=fake:x"], "'fake:x'"),
        (["--iter", "2"], "--policy"),
        (["--run", "./mine.toml/run"], "it can't be written (Not a directory)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_can_mend_is_a_message_and_code_2(
    evolve: Evolve, recipe: str, arguments: list[str], told: str
) -> None:
    code, out, err = evolve("run", recipe, *arguments)
    assert (code, out) == (2, ""), err
    assert "\nevolve: " in f"\n{err}"
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("option", "choice"), [("--metric", "implicit"), ("--algo", "select-then-evolve")])
def test_choices_are_listed_by_help_and_by_the_error_for_another(
    option: str, choice: str, evolve: Evolve, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert choice in evolve("run", "--help")[1]
    code, out, err = evolve("run", recipe, option, "best")
    assert (code, out) == (2, "")
    assert choice in err


def test_the_version(evolve: Evolve) -> None:
    import evolve as package

    assert evolve("--version")[:2] == (0, f"evolve-select {package.__version__}\n")
