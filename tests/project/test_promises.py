"""Every promise of docs/promises.md is held by tests that exist."""

from __future__ import annotations

import ast
import re

from places import ROOT

PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def missing(text: str) -> list[str]:
    """The tests that `text` names and no file of tests has."""
    return [f"{path}::{name}" for path, name in NODE.findall(text) if name not in named_in(path)]


def named_in(path: str) -> set[str]:
    file = ROOT / path
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_a_promise_names_exists() -> None:
    assert missing(PROMISES) == []


def test_a_test_that_is_gone_would_be_seen() -> None:
    gone = "`tests/project/test_promises.py::test_no_such_thing` and `tests/no_such_file.py::test_it`"
    assert missing(gone) == ["tests/project/test_promises.py::test_no_such_thing", "tests/no_such_file.py::test_it"]


def test_promises_are_numbered_and_each_has_a_test() -> None:
    promises = re.split(r"^(\d+)\. ", PROMISES, flags=re.MULTILINE)[1:]
    numbers, texts = promises[::2], promises[1::2]
    assert numbers == [str(i + 1) for i in range(len(numbers))]
    assert len(numbers) >= 20
    assert all(NODE.search(text) for text in texts)
