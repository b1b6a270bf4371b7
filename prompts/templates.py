"""The EvolInstruct templates: what a policy is told in order to rewrite a prompt (paper, Table 4; the wording is our
own).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prompts.errors import UserError
from prompts.ids import content_id
from prompts.record import Message, Prompt

STRATEGIES = ("constraints", "deepen", "concretize", "reasoning", "breadth")  # four in depth, one in breadth
IN_DEPTH = STRATEGIES[:-1]  # they ask to keep what the prompt is about
PLACEHOLDER = "{prompt}"
TEMPLATES = Path(__file__).parent / "templates"

_FIELD = re.compile(r"\{[A-Za-z_]\w*\}")
_IN_BRACES = re.compile(r"\{[^{}\n]{1,40}\}")


@dataclass(frozen=True)
class RewriteTemplate:
    """The request to rewrite a prompt by one strategy: a text with `{prompt}` in it exactly once."""

    strategy: str
    text: str

    @cached_property
    def id(self) -> str:
        """Identity of the wording: two templates with the same text are the same template."""
        return content_id("template", self.text)

    @cached_property
    def around(self) -> tuple[str, str]:
        """What the template says before and after the placeholder."""
        before, _, after = self.text.partition(PLACEHOLDER)
        return before, after

    def fill(self, instruction: str) -> str:
        """Put `instruction` in the placeholder's stead, to the letter: braces or `{prompt}` in it mean nothing here."""
        before, after = self.around
        return before + instruction + after


def load_rewrite_templates(
    folder: Path | None = None, strategies: Sequence[str] = STRATEGIES
) -> dict[str, RewriteTemplate]:
    """Read STRATEGY.txt of each strategy, from the shipped templates or from a user's own folder.

    A user's folder may hold strategies of its own beside or instead of the five: a strategy is a file. Returns the
    templates in the order of `strategies`. Raises UserError for a missing folder or file, an unknown, doubled or absent
    strategy, text that is not UTF-8, and a file without exactly one placeholder.
    """
    home = TEMPLATES if folder is None else _folder(folder)
    there = sorted(path.stem for path in home.glob("*.txt"))
    if not strategies or len(set(strategies)) < len(strategies):
        raise UserError(
            f"Strategies are {list(strategies)}: expected one or more, each once. There are: {_listed(there)}."
        )
    missing = [name for name in strategies if name not in there]
    if missing:
        raise UserError(
            f"No template for {_listed(missing)}: expected {missing[0]}.txt in {home}, which has {_listed(there)}. "
            f"Name strategies that are there, or add the file, with {PLACEHOLDER} where the prompt goes."
        )
    return {name: RewriteTemplate(name, _read(home / f"{name}.txt")) for name in strategies}


def rewrite_messages(prompt: Prompt, template: RewriteTemplate) -> list[Message]:
    """The chat that asks for the rewrite: earlier turns as they are, the last user turn in the template."""
    return [*prompt.messages[:-1], {"role": "user", "content": template.fill(prompt.instruction)}]


def _folder(folder: Path) -> Path:
    try:
        home = Path(folder).expanduser()
        if home.is_dir():
            os.listdir(home)
            return home
        why = ""
    except (OSError, RuntimeError, ValueError) as error:
        home, why = folder, f" ({getattr(error, 'strerror', None) or error})"
    raise UserError(
        f"No folder of templates at {home}{why}. Expected a folder with one STRATEGY.txt for each strategy."
    )


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise UserError(
            f"{path} can't be read ({error.strerror}). Expected a text file with {PLACEHOLDER} where the prompt goes."
        ) from None
    n = text.count(PLACEHOLDER)
    if n == 0:
        found = f"{_listed(_IN_BRACES.findall(text))} instead" if _IN_BRACES.search(text) else "none"
        raise UserError(
            f"{path} has no {PLACEHOLDER} placeholder (found {found}). Write {PLACEHOLDER} where the prompt goes."
        )
    if n > 1:
        raise UserError(f"{path} has {PLACEHOLDER} {n} times, expected once. Keep the one where the prompt goes.")
    if others := sorted({field for field in _FIELD.findall(text) if field != PLACEHOLDER}):
        raise UserError(
            f"{path} has the placeholder {_listed(others)} beside {PLACEHOLDER}, and nothing fills it. Expected "
            f"{PLACEHOLDER} alone: remove the others, or write a space inside the braces if they are part of the text."
        )
    return text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
