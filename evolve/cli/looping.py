"""The command that goes through iterations: loop."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from evolve.cli.folders import run_folder
from evolve.cli.options import (
    AlgoOption,
    AlphaOption,
    KOption,
    MetricOption,
    PolicyOption,
    RecipeArgument,
    RunOption,
    SetOption,
    overrides,
)
from evolve.cli.terminal import say


def loop(
    recipe: RecipeArgument = "default",
    iterations: Annotated[
        int, typer.Option("--iterations", "-t", min=1, max=1_000, help="How many; those that are done are not redone.")
    ] = 3,
    run: RunOption = None,
    trained: Annotated[
        str | None, typer.Option(help="Folder of the policy that you have trained on the last dataset.")
    ] = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    policy: PolicyOption = None,
    set_: SetOption = None,
) -> None:
    """Grow, train by the recipe's training.command, and grow again with the trained policy. Run it again to resume."""
    from evolve.loop.iterations import Loop
    from evolve.recipe.loading import load_recipe

    resolved = load_recipe(recipe, overrides(set_, algo, metric, alpha, k, policy))
    folder = run_folder(run or resolved.name)
    say(Loop(resolved, folder, iterations, trained, _again).run())


def _again(option: str) -> str:
    """This very command with an option more, in the place of the one that it had."""
    from evolve.reports.summary import called

    typed, kept, skip = sys.argv[1:], list[str](), False
    for word in typed:
        if skip or word.partition("=")[0] == "--trained":
            skip = not skip and "=" not in word
            continue
        kept.append(word)
    return f"{shlex.quote(called())} {shlex.join(kept)} {option}"
