"""The command that holds ways to select against each other and against chance: compare."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evolve.cli.folders import existing_folder
from evolve.cli.options import IterOption, KOption, MetricsOption, RunArgument, SetOption, overrides
from evolve.cli.terminal import say

ALGORITHMS = "Algorithms with commas: evolve-then-select, select-then-evolve, select-only. Default: the recipe's."


def compare(
    run: RunArgument,
    metric: MetricsOption = None,
    alpha: Annotated[str | None, typer.Option(help="Alphas with commas, such as 0.5,2.5,auto.")] = None,
    guard: Annotated[str | None, typer.Option(help="Guards with commas: degenerate, paper, strict.")] = None,
    algo: Annotated[str | None, typer.Option("--algo", "--algorithm", help=ALGORITHMS)] = None,
    k: KOption = None,
    set_: SetOption = None,
    iteration: IterOption = None,
    random: Annotated[int, typer.Option(min=20, max=100_000, help="Random selections beside each.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Seed of the random selections. Default: sampling.seed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Selections by several metrics, alphas, guards and algorithms side by side, and beside random ones. No model."""
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.comparison.compare import arms_of, own_metrics
    from evolve.reports.comparison.compare import compare as compared
    from evolve.reports.comparison.table import text_of
    from evolve.run import Run

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    own = stored_recipe(folder, iteration, overrides(set_, None, None, None, k))
    algorithms = _listed(algo) or [own.algorithm]
    rules = []
    for of_metric in _listed(metric) or own_metrics(own.selection):
        for of_alpha in _listed(alpha) or [""]:
            for of_guard in _listed(guard) or [""]:
                changes = overrides(set_, None, of_metric, of_alpha or None, k)
                changes |= {"selection.guard": of_guard} if of_guard else {}
                rules.append(stored_recipe(folder, iteration, changes).selection)
    for one in algorithms:  # told as `evolve select` tells it
        stored_recipe(folder, iteration, {"algorithm": one})
    made = Run(own, folder, iteration, view_only=True)
    found = compared(made, arms_of(algorithms, rules), count=random, seed=seed)
    say(json.dumps(found, indent=2, allow_nan=False) if as_json else text_of(found))


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [one.strip() for one in text.split(",") if one.strip()]
