"""Writes commands.md, recipe.md, library.md and reasons.md beside this file from what they describe.

python -m docs.reference.generate      from the root of a checkout; `make docs` does it
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import evolve
from evolve.api import Dataset
from evolve.cli.program import app
from evolve.recipe.loading import keys_of, section_of
from evolve.recipe.sections import Recipe
from prompts.reasons import REASONS, is_owed

HERE = Path(__file__).parent
MADE = "<!-- Made by `make docs` from {}. Change it there. -->"
BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def main() -> None:
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The text of each page by its file's name."""
    return {
        "commands.md": commands_page(),
        "recipe.md": recipe_page(),
        "library.md": library_page(),
        "reasons.md": reasons_page(),
    }


def commands_page() -> str:
    """All commands with their arguments and options."""
    program: Any = typer.main.get_command(app)
    parts = ["# Commands", MADE.format("evolve/cli"), program.help]
    parts.append(_table(("option", "meaning"), [(_names(one), one.help) for one in program.params if _shown(one)]))
    for name, command in program.commands.items():
        parts += [f"## evolve {name}", _plain(command.help), _parameters(name, command)]
    parts.append(
        "Results go to stdout, all else to stderr. Exit code 0 is done, 2 is something that you can mend, with a "
        "message that says what and how, 130 is Ctrl-C; anything else is a bug and shows its traceback."
    )
    return "\n\n".join(parts) + "\n"


def recipe_page() -> str:
    """All keys of a recipe by section."""
    top = {key: field for key, field in keys_of(Recipe).items() if not _is_section(field)}
    parts = [
        "# Recipe keys",
        MADE.format("evolve/recipe/sections.py"),
        "A recipe is a TOML file. A key of the section `sampling` is `sampling.n` for `--set sampling.n=8`, and stands "
        "under `[sampling]` in the file. A path that starts with `./` or `../` is relative to the recipe's file.",
        _keys(top, ""),
    ]
    for section, field in keys_of(Recipe).items():
        if _is_section(field):
            model: Any = section_of(field)
            parts += [f"## [{section}]", *([_plain(model.__doc__)] if model.__doc__ else [])]
            parts.append(_keys(keys_of(model), f"{section}."))
    return "\n\n".join(parts) + "\n"


def library_page() -> str:
    """The names of `from evolve import ...`: signatures and docstrings."""
    parts = [
        "# The library",
        MADE.format("what evolve.__all__ names"),
        f"    from evolve import {', '.join(evolve.__all__)}",
    ]
    for name in evolve.__all__:
        what = getattr(evolve, name)
        parts += [f"## {name}", *_described(name, what)]
        if what is Dataset:
            members = {one: value for one, value in vars(what).items() if not one.startswith("_") and value.__doc__}
            for one, value in members.items():
                parts += [f"### Dataset.{one}", *_described(f"Dataset.{one}", value)]
    return "\n\n".join(parts) + "\n"


def _described(name: str, what: Any) -> list[str]:
    if not inspect.isfunction(what):
        return [inspect.cleandoc(what.__doc__ or "")]
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(what))).replace("(self, ", "(")
    return [f"    {name}{signature}", inspect.cleandoc(what.__doc__ or "")]


def reasons_page() -> str:
    """Every reason with which a row can leave."""
    rows = [
        (f"`{name}`", reason.meaning, reason.advice, "computed again" if is_owed(name) else "")
        for name, reason in REASONS.items()
    ]
    return "\n\n".join(
        [
            "# Reasons",
            MADE.format("prompts/reasons.py"),
            "Whatever leaves is counted by one of these, in the manifest, the card and `evolve status`.",
            _table(("reason", "meaning", "what helps", "by the next run"), rows) + "\n",
        ]
    )


def _is_section(field: FieldInfo) -> bool:
    return section_of(field) is not None


def _keys(fields: dict[str, FieldInfo], prefix: str) -> str:
    rows = [
        (f"`{prefix}{key}`", _type(field.annotation) + _bounds(field), _default(field), _plain(field.description or ""))
        for key, field in fields.items()
    ]
    return _table(("key", "type", "default", "meaning"), rows)


def _type(kind: Any) -> str:
    """A type as a user would write its values."""
    names = {
        str: "text",
        int: "number",
        float: "decimal",
        bool: "true, false",
        Path: "path",
        type(None): "",
        Any: "anything",
    }
    if kind in names:
        return names[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(filter(None, map(_type, inner)))
    if origin in (tuple, list):
        return f"list of {_type(inner[0])}"
    return f"table of {_type(inner[1])}" if origin is dict else str(getattr(kind, "__name__", kind))


def _bounds(field: FieldInfo) -> str:
    found = [
        (sign, getattr(one, name)) for one in field.metadata for name, sign in BOUNDS.items() if hasattr(one, name)
    ]
    return "".join(f" {sign} {value}" for sign, value in found)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        value = list(value)
    return "none" if value is None or value == {} else f"`{value}`"


def _parameters(name: str, command: Any) -> str:
    shown = [one for one in command.params if _shown(one)]
    usage = " ".join([f"evolve {name}", *(_argument(one) for one in shown if _is_argument(one)), "[OPTIONS]"])
    rows = [
        (
            _argument(one) if _is_argument(one) else _names(one),
            _values(one),
            _asked_default(one),
            _plain(one.help or ""),
        )
        for one in shown
    ]
    table = _table(("option", "value", "default", "meaning"), [(f"`{row[0].strip('`')}`", *row[1:]) for row in rows])
    return f"    {usage}\n\n{table}"


def _shown(parameter: Any) -> bool:
    return parameter.name != "help" and not getattr(parameter, "hidden", False)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _argument(parameter: Any) -> str:
    written = parameter.name.upper()
    return written if parameter.required else f"[{written}]"


def _names(option: Any) -> str:
    return "`" + ", ".join([*option.opts, *option.secondary_opts]) + "`"


def _values(parameter: Any) -> str:
    """What may be given; nothing for a flag."""
    kind = parameter.type_descriptor.annotation
    least = "" if parameter.min is None else f" >= {parameter.min}"
    return "" if kind is bool else _type(typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind) + least


def _asked_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
