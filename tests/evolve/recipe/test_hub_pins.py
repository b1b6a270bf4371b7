"""A branch of the Hub is looked up once for a run: its commit is kept, and what is known needs no connection."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve.recipe.definite import definite, pins
from fake_runs import fake_recipe
from hub_server import NAME, NEW, OLD, Hub, environment, serving
from tiny_policy import policy


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(n_rows=6) as server:
        yield server


def run(hub: Hub, home: Path, source: str, *options: str, offline: bool = False) -> tuple[int, str]:
    """`evolve run` of the fakes on prompts of the Hub, in a program of its own: its exit code and what it says."""
    recipe = home / "fake.toml"
    recipe.write_text(
        f'name = "fake"\n[prompts]\nsource = "{source}"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
        '[selection]\nk = "100%"\n'
    )
    command = [sys.executable, "-m", "evolve", "run", str(recipe), "--run", str(home / "run"), *options]
    surroundings = environment(hub, home, offline=offline)
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, cwd=home, timeout=300)
    return done.returncode, done.stdout + done.stderr


def source_of(home: Path, iteration: int = 1) -> str:
    found = json.loads((home / "run" / f"iteration-{iteration}" / "recipe.json").read_text())
    return str(found["recipe"]["prompts"]["source"])


@pytest.mark.parametrize("source", [NAME, f"{NAME}@main"])
def test_a_branch_is_looked_up_once_for_a_run(source: str, hub: Hub, tmp_path: Path) -> None:
    code, said = run(hub, tmp_path, source)
    assert code == 0, said
    assert source_of(tmp_path) == f"{NAME}@{OLD}"
    assert hub.asked
    hub.refs["main"] = NEW
    hub.asked.clear()
    for options in ((), ("--iter", "2", "--policy", "fake")):
        code, said = run(hub, tmp_path, source, *options)
        assert code == 0, said
    assert source_of(tmp_path, 2) == source_of(tmp_path) == f"{NAME}@{OLD}"
    assert hub.asked == []


def test_another_branch_is_another_name(hub: Hub, tmp_path: Path) -> None:
    """What the run keeps is what it was asked for: neither `old` nor a commit stands for the main branch."""
    hub.refs["main"] = NEW
    for source in (f"{NAME}@old", f"{NAME}@{OLD}"):
        assert run(hub, tmp_path, source)[0] == 0
    code, said = run(hub, tmp_path, NAME)
    assert code == 2
    assert "has the splits train, test" in said  # as the main branch has by now


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_connection_a_first_run_says_so_and_a_later_one_reads_its_commit(
    offline: bool, hub: Hub, tmp_path: Path
) -> None:
    """With HF_HUB_OFFLINE or without it. The later runs draw other prompts, so the source is read again."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code, said = run(hub, tmp_path, f"{NAME}@main")
    assert code == 0, said
    hub.refs["main"] = NEW
    code, said = run(hub, tmp_path / "elsewhere", f"{NAME}@main", "--set", "prompts.split=train")
    assert code == 0, said
    shutil.copytree(elsewhere / "datasets", tmp_path / "datasets", dirs_exist_ok=True)  # the newer one: the branch's
    hub.shutdown()
    hub.server_close()
    code, said = run(hub, tmp_path, f"{NAME}@main", "--set", "prompts.limit=4", offline=offline)
    assert code == 0, said
    assert source_of(tmp_path) == f"{NAME}@{OLD}"
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    code, said = run(hub, nowhere, f"{NAME}@main", offline=offline)
    assert code == 2
    assert said.count(f"{NAME}@main") == 1
    assert "Connect and try again, or name a local file" in said
    assert "Traceback" not in said


def _cached(home: Path, commit: str, seed: int) -> None:
    """A model of the Hub as its client keeps it, `main` at `commit`."""
    folder = home / "models--owner--tiny"
    policy(folder / "snapshots" / commit, seed=seed)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)


@pytest.mark.parametrize("model", ["owner/tiny", "owner/tiny@main"])
def test_a_models_branch_is_looked_up_once_for_a_run(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    _cached(tmp_path, OLD, seed=0)
    asked = fake_recipe(tmp_path, policy__model=model)
    first = definite(asked)
    assert first.policy.model == f"owner/tiny@{OLD}"
    known = pins(asked, first)
    assert known == {model: f"owner/tiny@{OLD}"}
    _cached(tmp_path, NEW, seed=1)
    assert definite(asked, first, known) == first
    assert definite(first, first, known) == first  # as a view reads it again
    assert definite(asked).policy.model == f"owner/tiny@{NEW}"
    other = fake_recipe(tmp_path, policy__model="owner/tiny" if "@" in model else "owner/tiny@main")
    assert definite(other, first, known).policy.model == f"owner/tiny@{NEW}"
