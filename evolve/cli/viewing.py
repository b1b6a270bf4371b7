"""Commands that read a run and call no model: select, status, export."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.cli.folders import checked_path, existing_folder
from evolve.cli.options import (
    AlgoOption,
    AlphaOption,
    IterOption,
    KOption,
    MetricOption,
    RunArgument,
    SetOption,
    overrides,
)
from evolve.cli.terminal import say
from evolve.recipe.choices import ExportForm


def select(
    run: RunArgument,
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    set_: SetOption = None,
) -> None:
    """Select anew from rows that exist: another metric, alpha, k or algorithm in seconds, with no model."""
    from evolve.api import execute
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.summary import summary

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(set_, algo, metric, alpha, k))
    say(summary(*execute(recipe, folder, iteration, view_only=True)))


def status(run: RunArgument) -> None:
    """What the pool of a run holds and which datasets were made of it."""
    from evolve.reports.status import describe

    say(describe(existing_folder(run)))


def export(
    run: RunArgument,
    to: Annotated[
        ExportForm, typer.Option("--to", "--format", "-f", help="Form to write; responses: all of them, with scores.")
    ],
    out: Annotated[str, typer.Option(help="File to write; a folder for llamafactory, and with --test.")],
    test: Annotated[
        str | None, typer.Option(help="Share to hold out, such as 5%, by families of prompts: train and test files.")
    ] = None,
    margin: Annotated[
        bool, typer.Option("--margin", help="Add the column margin, which switches on a trainer's margin loss.")
    ] = False,
    max_length: Annotated[
        int | None,
        typer.Option(min=1, max=2**31 - 1, help="Tokens that a trainer keeps; pairs it spoils are left out."),
    ] = None,
    max_prompt_length: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Tokens that a trainer keeps of a prompt, the last ones.")
    ] = None,
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over what is there and was not exported by this run.")
    ] = False,
) -> None:
    """Write a dataset that was made in the form that a trainer reads, and beside it what trains with it."""
    from evolve.exports.export import export as write
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.run import Run

    target = checked_path(out, "--out")
    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(None, algo, metric, alpha, k))
    said = write(
        Run(recipe, folder, iteration, view_only=True),
        to,
        target,
        force=force,
        margin=margin,
        test=test,
        max_length=max_length,
        max_prompt_length=max_prompt_length,
    )
    say(said)
