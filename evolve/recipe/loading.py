"""From a name or a TOML file, with overrides, to a checked recipe, or to what is wrong with it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from evolve.recipe import choices
from evolve.recipe.choices import NAME
from evolve.recipe.sections import Recipe
from evolve.recipe.soundness import DEEPEST, quoted
from prompts import STRATEGIES
from prompts.display import plainly, redacted, shown
from prompts.errors import UserError

# Words that an error may show as what was found: those that settings are set to, and what is written for them.
_WORDS = {word for choice in vars(choices).values() for word in get_args(choice)} | set(STRATEGIES)
_WORDS |= set("fake all any none both few some many most auto default true false yes no on off null margin".split())


def recipes_folder() -> Path:
    """Where the shipped recipes are: in the installed package, else beside it in a checkout."""
    packaged = Path(__file__).parents[1] / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"


def load_recipe(name_or_path: str, overrides: dict[str, Any] | None = None) -> Recipe:
    """The recipe of a shipped name ("default") or a TOML file, with `overrides` ({"sampling.n": 8}) on top.

    A path in a recipe that starts with "./" or "../" is relative to the recipe's file.
    """
    path = _recipe_path(name_or_path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # an editor's byte order mark is no content
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid TOML: {_why(error)}.") from error
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}). Expected a recipe that you may read.") from error
    return override_recipe({"name": path.stem} | _anchored(data, path.parent), overrides or {}, str(path))


def override_recipe(data: dict[str, Any], overrides: dict[str, Any], where: str) -> Recipe:
    """The recipe in `data` with `overrides` on top. Raises `UserError` that names every key that does not hold."""
    for key, value in overrides.items():
        _set(data, key, value)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise UserError(_explain(where, error)) from error


def parse_override(text: str) -> tuple[str, Any]:
    """`sampling.n=8` to ("sampling.n", 8). The value is read as TOML; what is not TOML is a string."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        is_key = re.fullmatch("[a-z_.]+", text) and text.partition(".")[0] in keys_of(Recipe)
        what = text if is_key else f"with {plainly(text)}"
        raise UserError(f"--set {what}: expected key=value, such as --set sampling.n=8.")
    try:
        read = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key.strip(), value
    except (ValueError, RecursionError) as error:
        raise UserError(f"--set {quoted(key.strip())}: its value can't be read: {_why(error)}.") from error
    return key.strip(), read["value"] if len(read) == 1 else value  # more lines than one are text


def _recipe_path(name_or_path: str) -> Path:
    try:
        path = Path(name_or_path).expanduser()
        if path.suffix == ".toml" and path.is_file():
            return path.resolve()
    except (OSError, RuntimeError) as error:
        raise UserError(f"The recipe {quoted(name_or_path)} can't be read ({_why(error)}).") from error
    shipped = recipes_folder() / f"{name_or_path}.toml"
    if re.fullmatch(NAME, name_or_path) and shipped.is_file():
        return shipped
    names = ", ".join(sorted(p.stem for p in recipes_folder().glob("*.toml")))
    raise UserError(
        f"No recipe {quoted(name_or_path)}: expected a .toml file that exists or one of the shipped ones: {names}."
    )


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    def anchor(value: Any) -> Any:
        if isinstance(value, dict):  # an ensemble has models for keys; a system prompt is text, whatever it starts with
            return {anchor(key): item if key == "system_prompt" else anchor(item) for key, item in value.items()}
        if isinstance(value, list):
            return [anchor(item) for item in value]
        if isinstance(value, str) and value.startswith(("./", "../")):
            return os.path.realpath(folder / value)  # also of links that lead in a circle: opening it tells
        return value

    return {key: anchor(value) for key, value in data.items()}


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, leaf = key.split(".")
    if len(sections) > DEEPEST:
        raise UserError(f"--set {quoted(key)}: {len(sections)} sections, expected a key such as sampling.n.")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise UserError(f"--set {quoted(key)}: {quoted(section)} is a value, not a section.")
    data[leaf] = value


def _explain(path: str, error: ValidationError) -> str:
    lines = [f"The recipe {path} does not hold:"]
    for problem in error.errors():
        where = shown(".".join(str(part) for part in problem["loc"]), one_line=True) or "recipe"
        is_there = problem["type"] != "missing" and problem["loc"] and not isinstance(problem["input"], dict)
        found = f" (found {plainly(problem['input'], _WORDS)})" if is_there else ""
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            what = f"unknown key, expected one of {', '.join(_keys(problem['loc'][:-1]))}"
        if problem["loc"] == ("name",):
            what = "expected a name of letters, digits, '.', '_' and '-' (set `name`, or rename the recipe's file)"
        lines.append(f"  {where}: {redacted(what)}{found}")
    return "\n".join(lines)


def _why(error: Exception) -> str:
    """Why something can't be read, in words that fit a recipe."""
    if isinstance(error, RecursionError):
        return "it has too many levels of brackets"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "an integer of thousands of digits" if "integer string conversion" in str(error) else str(error)


def _keys(section: tuple[int | str, ...]) -> list[str]:
    """The keys of a section of the recipe."""
    model: Any = Recipe
    for name in section:
        model = section_of(keys_of(model)[str(name)])
    return list(keys_of(model))


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key holds, also where it may be left out; None for a plain value."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by the keys that a recipe has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}
