"""Commands that show a run to people, and call no model: report, explain, contamination."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evolve.cli.folders import checked_path, existing_folder
from evolve.cli.options import AlgoOption, AlphaOption, IterOption, KOption, MetricOption, RunArgument, overrides
from evolve.cli.terminal import say


def report(
    run: RunArgument,
    out: Annotated[str | None, typer.Option(help="Page to write. Default: report.html beside the dataset.")] = None,
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """One page about a dataset, for a browser without a network: rows, margins, metrics, all responses of prompts."""
    from evolve.api import Dataset
    from evolve.datasets.folder import find_dataset
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.html import write_report
    from evolve.run import Run

    folder = existing_folder(run)
    target = None if out is None else checked_path(out, "--out")
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(None, algo, metric, alpha, k))
    made = Run(recipe, folder, iteration, view_only=True)
    dataset = Dataset(find_dataset(made))
    say(write_report(made, made.execute(), dataset, target, force=force))


def explain(
    run: RunArgument,
    identity: Annotated[str, typer.Argument(metavar="ID", help="A prompt's, pair's or response's id, or its start.")],
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
) -> None:
    """The whole story of a prompt or pair: its origin, all responses with their scores, the pair, and why."""
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.explain import explained
    from evolve.run import Run

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(None, algo, metric, alpha, k))
    say(explained(Run(recipe, folder, iteration, view_only=True), identity))


def contamination(
    run: RunArgument,
    against: Annotated[
        str | None,
        typer.Option(
            help="Benchmarks with commas: files, folders, Hub datasets (NAME#SPLIT), or a known name. Default: "
            "alpaca-eval, arena-hard, ifeval and mt-bench, as far as they can be had."
        ),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, max=10_000, help="How many of the worst examples to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
) -> None:
    """Which prompts of X, X' and the training set repeat a benchmark's prompt: 8-grams of words that both have."""
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.contamination import check, named_benchmarks, tables
    from evolve.run import Run

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    recipe = stored_recipe(folder, iteration, overrides(None, algo, metric, alpha, k))
    benchmarks, absent = named_benchmarks(against)
    made = Run(recipe, folder, iteration, view_only=True)
    found = check(made, made.execute(), benchmarks, absent, worst)
    say(json.dumps(found, indent=2, ensure_ascii=False) if as_json else tables(found))
