"""Commands about reward models beside a run: score, check."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evolve.cli.folders import checked_path
from evolve.cli.options import BatchOption, CompatOption, DtypeOption, ForceOption, RecipeArgument, SetOption, overrides
from evolve.cli.terminal import say


def score(
    file: Annotated[str, typer.Argument(help="A .jsonl file with a prompt and a response on each line.")],
    reward: Annotated[str, typer.Option(help="Reward model: a folder or Hub name.")],
    out: Annotated[str, typer.Option(help="File to write, one line for each line in.")],
    batch_tokens: BatchOption = None,
    dtype: DtypeOption = "auto",
    compat: CompatOption = False,
    force: ForceOption = False,
) -> None:
    """Score a file of {prompt, response} lines: one line out for each line in, in the same order. Exit code 1: none."""
    from evolve.watch.tally import Tally
    from evolve.workers.score_file import score_file

    source, target = checked_path(file, "the file"), checked_path(out, "--out")
    checked_path(reward, "the reward model")  # or a Hub name: what no file system takes is neither
    tally = Tally()
    say(
        score_file(
            source, target, reward, batch_tokens=batch_tokens, dtype=dtype, compat=compat, tally=tally, force=force
        )
    )
    if not tally.scored:
        raise typer.Exit(1)


def check(
    recipe: RecipeArgument = "default",
    set_: SetOption = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="Load the reward model and hold it to ArmoRM's card.")
    ] = False,
) -> None:
    """Resolve a recipe and print it as JSON. Touches no model and no network, unless --golden asks for it."""
    from evolve.recipe.loading import load_recipe

    resolved = load_recipe(recipe, overrides(set_))
    if not golden:
        say(json.dumps(resolved.model_dump(mode="json"), indent=2, allow_nan=False).replace("\x7f", "\\u007f"))
        return
    import rewards

    model = rewards.load(resolved.reward.model, dtype=resolved.reward.dtype, compat=resolved.reward.compat)
    for what, expected, found in rewards.golden_check(model):
        say(f"{what}: {found:.4f}, the model card says {expected:.4f}")
