"""The documents say what is so: the reference is current, links lead somewhere, commands and keys exist."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import typer

import evolve
from docs.reference.generate import pages
from evolve.cli.program import app
from evolve.datasets.train import SCHEMA
from evolve.recipe.loading import keys_of, override_recipe, section_of
from evolve.recipe.sections import Recipe
from places import ROOT

IGNORED = {".venv", ".trainers", "runs", "build", "dist", "node_modules"}
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*.md")
    if not IGNORED & set(path.relative_to(ROOT).parts) and not any(part.startswith(".") for part in path.parts[-2:])
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document: Path, text: str) -> list[str]:
    """The links of a document to files of the checkout, or headings in them, that are not there."""
    dead = []
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / document).parent / path if path else ROOT / document
        found = target.exists() and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))
        dead += [] if found else [link]
    return dead


def read(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["commands.md", "recipe.md", "library.md", "reasons.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `make docs` and commit what it writes"


def test_the_reference_has_every_command_option_and_key() -> None:
    commands, recipe = pages()["commands.md"], pages()["recipe.md"]
    for name, command in COMMANDS.items():
        section = commands.partition(f"## evolve {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.name != "help":
                assert parameter.opts[0] in section.lower() or parameter.name.upper() in section
    for section, field in keys_of(Recipe).items():
        inner = section_of(field)
        keys = [f"{section}.{key}" for key in keys_of(inner)] if inner else [section]
        assert all(f"| `{key}` |" in recipe for key in keys)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    assert dead_links(document, read(document)) == []


def test_a_dead_link_would_be_seen() -> None:
    text = (
        "[a](README.md) [b](no/such.md) [c](README.md#no-such-heading) [d](https://example.org/x) [e](#start)\n# Start"
    )
    assert dead_links(Path("README.md"), text) == ["no/such.md", "README.md#no-such-heading"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_in_the_documents_exist(document: Path) -> None:
    text = read(document)
    named = set(re.findall(r"(?:^ *|`|bin/)evolve ([a-z]+)\b(?! is| has)", text, re.MULTILINE))
    assert named <= set(COMMANDS)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^ *|`)make ([a-z]+)\b", text, re.MULTILINE)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_recipes_in_the_documents_hold(document: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", read(document), re.MULTILINE | re.DOTALL):
        needed = {
            "name": "written",
            "prompts": {"source": "x"},
            "policy": {"model": "fake"},
            "reward": {"model": "fake"},
        }
        given = tomllib.loads(block)
        for section, keys in given.items():
            needed[section] = needed.get(section, {}) | keys if isinstance(keys, dict) else keys  # type: ignore[operator]
        override_recipe(needed, {}, str(document))


def first_cells(table_head: str) -> list[str]:
    """The names in backquotes of the first column of the README's table with this first cell."""
    table = read(Path("README.md")).partition(f"| {table_head} |")[2].partition("\n\n")[0]
    return [name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])]


def test_the_readme_has_every_column_command_and_recipe() -> None:
    assert sorted(first_cells("column")) == sorted(SCHEMA.names)
    assert sorted({line.split()[1] for line in first_cells("command")}) == sorted(COMMANDS)
    assert sorted(first_cells("recipe")) == sorted(path.stem for path in (ROOT / "recipes").glob("*.toml"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_programs_in_the_documents_are_programs(document: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", read(document), re.MULTILINE | re.DOTALL):
        imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
        names = {one.name for node in imported if node.module == "evolve" for one in node.names}
        assert names <= set(evolve.__all__)


def test_the_layout_has_every_room() -> None:
    layout = read(Path("docs/layout.md"))
    for package in ("prompts", "generation", "rewards", "selection", "evolve"):
        rooms = [path.parent.name for path in (ROOT / package).glob("*/__init__.py")]
        for room in (package, *rooms):
            assert f"`{room}/`" in layout, f"docs/layout.md does not say what {package}/{room} is for"


def gone(text: str) -> list[str]:
    """What a document names by `path.py` or `path.py::name` and the checkout does not have; NAME stands for any."""
    named = re.findall(
        r"`((?:prompts|generation|rewards|selection|evolve|tests|examples)/[\w/]+\.py)(?:::(\w+))?`", text
    )
    absent = []
    for path, name in named:
        source = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else None
        if "NAME" not in path and (source is None or (name and not re.search(rf"^def {name}\(", source, re.MULTILINE))):
            absent.append(path)
    return absent


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_and_functions_that_the_documents_name_exist(document: Path) -> None:
    assert gone(read(document)) == []


def test_what_is_gone_would_be_seen() -> None:
    text = "`evolve/run.py` `evolve/gone.py` `selection/metrics/pair.py::eva` `rewards/models/NAME.py` "
    text += "`selection/metrics/pair.py::gone`"
    assert gone(text) == ["evolve/gone.py", "selection/metrics/pair.py"]
