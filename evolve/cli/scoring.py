"""Commands about reward models beside a run: score, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.cli.options import BatchOption, CompatOption, DtypeOption, RecipeArgument, SetOption, overrides


def score(
    file: Annotated[Path, typer.Argument(help="A .jsonl file with a prompt and a response on each line.")],
    reward: Annotated[str, typer.Option(help="Reward model: a folder or Hub name.")],
    out: Annotated[Path, typer.Option(help="File to write, one line for each line in.")],
    batch_tokens: BatchOption = None,
    dtype: DtypeOption = "auto",
    compat: CompatOption = False,
) -> None:
    """Score a file of {prompt, response} lines: one line out for each line in, in the same order."""
    from evolve.workers.score_file import score_file

    print(score_file(file, out, reward, batch_tokens=batch_tokens, dtype=dtype, compat=compat))


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
        print(resolved.model_dump_json(indent=2))
        return
    import rewards

    model = rewards.load(resolved.reward.model, dtype=resolved.reward.dtype, compat=resolved.reward.compat)
    for what, expected, found in rewards.golden_check(model):
        print(f"{what}: {found:.4f}, the model card says {expected:.4f}")
