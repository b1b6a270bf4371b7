"""What a trainer's configuration is filled in with, and how it is written down as YAML or as a command."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.exports.paper import Epoch, Training

# What YAML takes in double quotes only when it is escaped.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Setup:
    """The files of an export, by absolute paths, the policy, and the paper's hyperparameters.

    `template` is the text of the policy's chat template, "" where it is not known; `notes` stand at the head of each
    configuration, a line each.
    """

    data: Path
    test: Path | None
    n_pairs: int
    policy: str
    dpo: Training
    simpo: Training
    max_length: int
    template: str = ""
    notes: tuple[str, ...] = ()

    def output(self, method: str) -> str:
        """The folder that a trained policy goes to: beside the data."""
        return str(self.data.with_name(f"{self.data.stem}-{method}"))

    @property
    def epoch(self) -> Epoch:
        """The one epoch over the pairs."""
        return Epoch(self.n_pairs)

    def head(self, *lines: str, epoch: Epoch | None = None) -> str:
        """The comment at the top of a configuration: `lines`, what is not the paper's, and the notes."""
        return commented([*lines, *(epoch or self.epoch).told, *self.notes])


def commented(lines: list[str]) -> str:
    """Lines of a comment in YAML or a shell."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def as_yaml(values: dict[str, Any], indent: str = "") -> str:
    """A mapping as YAML, a key a line; lists in the flow style."""
    lines = []
    for key, value in values.items():
        inner = isinstance(value, dict)
        lines.append(
            f"{indent}{key}:\n{as_yaml(value, indent + '  ')}" if inner else f"{indent}{key}: {_yaml(value)}\n"
        )
    return "".join(lines)


def as_command(words: list[str], options: dict[str, Any]) -> str:
    """A command of a shell, an option a line. True is an option without a value."""
    lines = [" ".join(words)]
    lines += [
        key if value is True else f"{key} {shlex.quote(_plain(value))}"
        for key, value in options.items()
        if value is not None
    ]
    return " \\\n  ".join(lines) + "\n"


def _plain(value: Any) -> str:
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """With a point also where it is small: 7e-07 is a text to many readers of YAML."""
    return f"{value:.1e}" if 0 < value < 1e-3 else repr(value)


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str):
        return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, float):
        return _number(value)
    return "null" if value is None else json.dumps(value)
