"""Commands that bring a dataset to others: push."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.cli.folders import existing_folder
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


def push(
    run: RunArgument,
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub; made if it is not there.")],
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    set_: SetOption = None,
    test: Annotated[
        str | None, typer.Option(help="Share to hold out, such as 5%, by families of prompts: splits train and test.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody may read it. By default it is private.")] = False,
    revision: Annotated[str, typer.Option(help="Branch to push to; made if it is not there.")] = "main",
    message: Annotated[str | None, typer.Option(help="Of the commit. Default: what the dataset is.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each file with size, digest and place; ask and send nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Push over other data that lies there.")] = False,
) -> None:
    """Upload a dataset that was made to the Hub. The token is HF_TOKEN, or that of `hf auth login`."""
    from evolve.datasets.folder import find_dataset
    from evolve.exports.hub.push import Target
    from evolve.exports.hub.push import push as upload
    from evolve.exports.split import split_of
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.run import Run

    target = Target(repo, revision, public, force)
    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(set_, algo, metric, alpha, k))
    of = Run(recipe, folder, iteration, view_only=True)
    dataset = find_dataset(of)
    split = split_of(of.pool, recipe.prompts.seed, test) if test is not None else None
    say(upload(dataset, target, split=split, message=message, dry_run=dry_run))
