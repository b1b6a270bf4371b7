"""Commands about reward models themselves: rewards."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.cli.folders import checked_path
from evolve.cli.terminal import say


def rewards(
    model: Annotated[str | None, typer.Argument(help="A folder or Hub name: what this checkpoint is.")] = None,
) -> None:
    """The reward models that are known: layout, kind, objectives, context, licence, which recipe uses them. With MODEL:
    what that checkpoint is, told by its weights. No model is loaded.
    """
    from evolve.reports.reward_models import checkpoint_told, known_models

    if model is None:
        return say(known_models())
    checked_path(model, "the reward model")
    say(checkpoint_told(model))
