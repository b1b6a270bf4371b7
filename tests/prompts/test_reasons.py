"""Every reason that the code can give a row is in the table: the sources are walked for whatever may be one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from places import ROOT
from prompts import filters
from prompts.reasons import KEPT, OWED, REASONS

PACKAGES = ("prompts", "generation", "rewards", "selection", "evolve")
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# One word that a function gives back and that is no reason: a new one has to be entered here, or in the table.
NO_REASONS = {
    "initial",
    "null",
    "private",
    "public",
    "scored",
    *("auto", "bfloat16", "cpu", "cuda", "evolve", "float32", "judge", "none", "nothing", "recipes", "scalar"),
    *("settings", "unknown", "vllm", "stop", "kept", "first", "second", "pairwise", "checkpoints"),
}
GIVERS = {"RowDropped", "refused_row", "results.append"}  # calls whose arguments are reasons
NAMES = {"error", "verdict", "reason"}  # keyword arguments, keys and variables that hold one


def _words(node: ast.AST | None) -> Iterator[str]:
    """The words that an expression may have for its value."""
    match node:
        case ast.Constant(value=str(word)) if WORD.fullmatch(word):
            yield word
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_words(body), *_words(orelse))
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _words(part)
        case ast.BinOp(left=left, right=right):
            yield from (*_words(left), *_words(right))
        case ast.NamedExpr(value=value):
            yield from _words(value)


def _given(node: ast.AST) -> Iterator[str]:
    """The words of a node of the tree that may be a reason."""
    match node:
        case ast.Return(value=value) | ast.Yield(value=value):
            yield from _words(value)
        case ast.Call(func=func, args=arguments, keywords=keywords):
            for argument in arguments if ast.unparse(func) in GIVERS else ():
                yield from _words(argument)
            for keyword in keywords:
                yield from _words(keyword.value) if keyword.arg in NAMES else ()
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                yield from _words(value) if isinstance(key, ast.Constant) and key.value in NAMES else ()
        case ast.Assign(targets=[target], value=value):
            name = ast.unparse(target).split(".")[-1]
            yield from _words(value) if name in NAMES else ()
        case ast.Subscript(value=value, slice=inner) if ast.unparse(value).endswith(("dropped", "owed")):
            yield from _words(inner)


def _found() -> dict[str, str]:
    """Each word that may be a reason, with a place of it."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for word in _given(node):
                    found[word] = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
    return found


def test_every_reason_that_the_code_gives_is_in_the_table() -> None:
    found = _found()
    assert {word: place for word, place in found.items() if word not in REASONS and word not in NO_REASONS} == {}
    assert {"template_refused", "request_refused", "all_refused", "bad_row", "not_an_object", "not_utf8"} <= set(found)


def test_names_that_are_constants_are_in_the_table() -> None:
    """Constants such as TOO_LONG that stand for a reason are upper case, and used where one is given."""
    known = set(REASONS) | {KEPT}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            constants = {
                name: word
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                for name, word in _constants(target, node.value)
            }
            used = {one.id for node in ast.walk(tree) for one in _names(node) if one.id in constants}
            assert {name: constants[name] for name in used if constants[name] not in known | NO_REASONS} == {}, path


def _constants(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _constants(one, its)
    elif isinstance(target, ast.Name) and (words := list(_words(value))):
        yield target.id, words[0]


def _names(node: ast.AST) -> Iterator[ast.Name]:
    """Names where a reason may be given: returned, or as what GIVERS and NAMES take."""
    values: list[ast.AST | None] = []
    match node:
        case ast.Return(value=value):
            values = [value]
        case ast.Call(func=func, args=arguments, keywords=keywords):
            values = [*arguments] if ast.unparse(func) in GIVERS else []
            values += [keyword.value for keyword in keywords if keyword.arg in NAMES]
        case ast.Dict(keys=keys, values=of_keys):
            values = [v for k, v in zip(keys, of_keys, strict=True) if isinstance(k, ast.Constant) and k.value in NAMES]
    for value in values:
        for one in [value, *getattr(value, "elts", ())]:
            if isinstance(one, ast.IfExp):
                yield from (side for side in (one.body, one.orelse) if isinstance(side, ast.Name))
            elif isinstance(one, ast.Name):
                yield one


def test_every_filter_is_a_reason_by_its_name() -> None:
    assert {rule.__name__ for rule in filters.FILTERS} <= set(REASONS)
    assert {filters.TOO_LONG, filters.DUPLICATE} <= set(REASONS)


def test_what_is_owed_says_what_to_do() -> None:
    assert all(REASONS[name].advice for name in OWED)
    assert all(WORD.fullmatch(name) and reason.meaning for name, reason in REASONS.items())


def test_the_walk_finds_what_is_made_up() -> None:
    """It would fail: a reason that is in no table, in each of the ways that the code gives them."""
    for code in (
        'def f(x):\n    return "made_up" if x else None',
        'Score(0.0, error="made_up")',
        'row = {"error": a or "made_up"}',
        'raise RowDropped("made_up", "why")',
        'results.append("made_up")',
        'verdict = "made_up"',
        'tally.dropped["made_up"] += 1',
        'f(reason="tie" if x else "made_up")',
    ):
        assert "made_up" in {word for node in ast.walk(ast.parse(code)) for word in _given(node)}, code
