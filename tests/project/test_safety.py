"""No code that is not the project's own is ever run: read from the syntax of every source file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from places import ROOT

PACKAGES = ("prompts", "generation", "rewards", "selection", "evolve", "recipes", "examples", "benchmarks")
UNPICKLING = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUNNING = {"eval", "exec", "compile", "__import__"}


def unsafe(source: str) -> Iterator[str]:
    """What in a source file could run or unpickle something that was read, by name and line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"{one.name} in line {node.lineno}" for one in node.names if one.name in UNPICKLING)
        elif isinstance(node, ast.ImportFrom) and node.module in UNPICKLING:
            yield f"{node.module} in line {node.lineno}"
        elif isinstance(node, ast.Call):
            yield from _unsafe_call(node)


def _unsafe_call(call: ast.Call) -> Iterator[str]:
    called = ast.unparse(call.func)
    if called in RUNNING:
        yield f"{called} in line {call.lineno}"
    given = {one.arg: one.value for one in call.keywords}
    for name in ("trust_remote_code", "shell", "allow_pickle"):
        value = given.get(name)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
            yield f"{name} in line {call.lineno}"
    if called == "torch.load" and ast.unparse(given.get("weights_only", ast.Constant(None))) != "True":
        yield f"torch.load in line {call.lineno}"


def test_no_source_runs_or_unpickles_what_it_reads() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    assert {str(path.relative_to(ROOT)): found for path in files if (found := list(unsafe(_text(path))))} == {}


def test_what_is_unsafe_would_be_seen() -> None:
    for source in (
        "import pickle",
        "from pickle import loads",
        "eval(text)",
        "load(name, trust_remote_code=True)",
        "load(name, trust_remote_code=trust)",
        "run(line, shell=True)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
    ):
        assert len(list(unsafe(source))) == 1, source
    assert (
        list(unsafe("load(name, trust_remote_code=False)\ntorch.load(path, weights_only=True)\nre.compile('x')")) == []
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
