"""The recipe's section `training`: what turns the dataset of an iteration into the policy of the next one."""

from __future__ import annotations

import re

from pydantic import field_validator

from evolve.recipe.choices import GrowingX, ImplicitForm
from evolve.recipe.section import Section

PLACES = ("dataset", "policy", "output", "reference", "run", "iteration", "python")  # that a command may name
SETTINGS = ("method", "learning_rate", "beta", "gamma")  # of the paper's Table 3
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")


class Training(Section):
    """What `evolve loop` trains with between two iterations. No row and no dataset depends on it."""

    command: tuple[str, ...] = ()
    """The program that trains and its arguments, a list; no shell reads it. {dataset}, {policy}, {output} and others
    are filled in (docs/loop.md). Without one the loop stops at each dataset and says how to go on."""
    method: ImplicitForm = "simpo"
    """Whose row of the paper's Table 3 fills in {learning_rate}, {beta} and {gamma}; the command reads {method} too."""
    resume: bool = False
    """Leave in {output} what a killed training left there, for a trainer that goes on from its own checkpoints. By
    default it is cleared, since most trainers start again and some would mix old files with new ones."""
    prompts: GrowingX = "fixed"
    """fixed: X stays as it is, as in the paper (Section 5.3), so iterations compare; grow: the prompts of the selected
    pairs join X."""
    implicit: ImplicitForm | None = None
    """Form of the implicit reward from the second iteration on; selection.implicit by default. dpo: against the policy
    of the first iteration (or `reference`), which says nothing before the policy has moved."""

    @field_validator("command")
    @classmethod
    def _known_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = {name for word in value for name in _PLACEHOLDER.findall(word)}
        if unknown := sorted(names - {*PLACES, *SETTINGS}):
            raise ValueError(
                f"{{{unknown[0]}}} is nothing that is filled in: expected {', '.join((*PLACES, *SETTINGS))}"
            )
        if value and not value[0].strip():
            raise ValueError("its first word, the program, is empty")
        if value and "output" not in names:
            raise ValueError("it names no {output}, the folder where the trained policy has to go")
        return value


def filled(command: tuple[str, ...], values: dict[str, str]) -> list[str]:
    """The words of a command with `values` in the places of their names. What is put in is not read again."""
    return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in command]
