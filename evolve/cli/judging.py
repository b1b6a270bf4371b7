"""Commands about who judges: rewards, the reward models; judge, a language model's second opinion."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evolve.cli.folders import checked_path, existing_folder
from evolve.cli.options import (
    AlgoOption,
    AlphaOption,
    IterOption,
    KOption,
    MetricsOption,
    RunArgument,
    SetOption,
    overrides,
)
from evolve.cli.terminal import say

PARALLEL = "Requests at the server at once."
TEMPLATE_HELP = "File with your own question: {prompt}, {first} and {second} once each (docs/judge.md)."


def judge(
    run: RunArgument,
    model: Annotated[str, typer.Option(help="Name of the judge's model at its server.")],
    base_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server. Default: OPENAI_BASE_URL, else OpenAI's own.")
    ] = None,
    metric: MetricsOption = None,
    n: Annotated[
        int, typer.Option("-n", "--n", min=1, max=10_000_000, help="Pairs sampled of each selection.")
    ] = 1_000,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    iteration: IterOption = None,
    algo: AlgoOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    set_: SetOption = None,
    template: Annotated[str | None, typer.Option(help=TEMPLATE_HELP)] = None,
    max_tokens: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Tokens that an answer may have.")] = 512,
    parallel: Annotated[int, typer.Option(min=1, max=4_096, help=PARALLEL)] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Have a language model judge a sample of several selections, in both orders, and hold the reward model to it."""
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.agreement import judged_selections, text_of_figures

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    metrics = ["map", "eva"] if metric is None else [one.strip() for one in metric.split(",")]
    recipes = [stored_recipe(folder, iteration, overrides(set_, algo, one, alpha, k)) for one in metrics]
    figures = judged_selections(
        folder,
        iteration,
        recipes,
        model=model,
        base_url=base_url,
        n=n,
        seed=seed,
        template=None if template is None else checked_path(template, "--template"),
        max_tokens=max_tokens,
        parallel=parallel,
    )
    say(json.dumps(figures, indent=2, allow_nan=False) if as_json else text_of_figures(figures))


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
