"""Datasets of the Hub, from a server on this machine that speaks its protocol: a revision is one commit, and stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.sources.hub import pinned_source
from hub_server import NAME, NEW, OLD, Hub, environment, serving


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as server:
        yield server


ASK = """
import json, sys
from evolve.sources.hub import pinned_source
from evolve.sources.prompts import load_prompts
from prompts.errors import UserError
for source, split in json.loads(sys.argv[1]):
    try:
        drawn = load_prompts(source, split=split)
        print(json.dumps([pinned_source(source), drawn.commit, *(prompt.instruction for prompt in drawn.prompts)]))
    except UserError as error:
        print(json.dumps(str(error)))
"""


def ask(hub: Hub, home: Path, *asked: tuple[str, str | None]) -> list[Any]:
    """What a program of its own is told of each source: `datasets` reads the Hub's address when it is imported."""
    command = [sys.executable, "-c", ASK, json.dumps(asked)]
    done = subprocess.run(
        command, env=environment(hub, home, offline=not hub.refs), capture_output=True, text=True, cwd=home, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_revision_is_read_at_one_commit(hub: Hub, tmp_path: Path) -> None:
    hub.refs["main"] = NEW
    splits, test, old, pinned, branch, commit, absent, train = ask(
        hub,
        tmp_path,
        (NAME, None),
        (NAME, "test"),
        (f"{NAME}@old", None),
        (f"{NAME}@{OLD}", None),
        (f"{NAME}@absent", None),
        (f"{NAME}@{'c' * 40}", None),
        ("owner/absent", None),
        (NAME, "validation"),
    )
    assert "has the splits train, test. Set `prompts.split`" in splits
    assert test == [f"{NAME}@{NEW}", NEW, "test of b"]
    assert old == pinned == [f"{NAME}@{OLD}", OLD, "train of a"]
    for told in (branch, commit):
        assert "doesn't exist" in told
    assert "'owner/absent' doesn't exist" in absent
    assert "validation" in train


def test_without_a_connection_no_other_commit_than_the_one_asked_for_is_read(hub: Hub, tmp_path: Path) -> None:
    """`datasets` gives what it has for whatever revision is asked for."""
    assert ask(hub, tmp_path, (NAME, None)) == [[f"{NAME}@{OLD}", OLD, "train of a"]]
    hub.refs.clear()
    *same, branch, other, absent = ask(
        hub,
        tmp_path,
        (NAME, None),
        (f"{NAME}@{OLD}", None),
        (f"{NAME}@old", None),
        (f"{NAME}@{NEW}", None),
        ("a/b", None),
    )
    assert same == [[f"{NAME}@{OLD}", OLD, "train of a"]] * 2
    for told in (branch, other):
        assert f"what was loaded before is {OLD}" in told
    assert "Connect and try again" in absent


def test_of_several_loaded_commits_the_one_that_is_asked_for_is_read(hub: Hub, tmp_path: Path) -> None:
    """Without a connection `datasets` takes the newest of its cache, whatever commit a run is at."""
    ask(hub, tmp_path, (f"{NAME}@{OLD}", None), (f"{NAME}@{NEW}", "test"))
    hub.refs.clear()
    old, new, other = ask(
        hub, tmp_path, (f"{NAME}@{OLD}", None), (f"{NAME}@{NEW}", "test"), (f"{NAME}@{'c' * 40}", None)
    )
    assert old == [f"{NAME}@{OLD}", OLD, "train of a"]
    assert new == [f"{NAME}@{NEW}", NEW, "test of b"]
    assert "can't be looked up on the Hub" in other


def test_what_is_no_branch_of_a_dataset_is_not_looked_up() -> None:
    for source in (f"{NAME}@{NEW}", f"{NAME}:german@{NEW}", "/data/x.jsonl"):
        assert pinned_source(source) == source
