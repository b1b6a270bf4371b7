"""Commands that call models for a run: run, annotate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evolve.cli.folders import existing_folder, run_folder
from evolve.cli.options import (
    AlgoOption,
    AlphaOption,
    BatchOption,
    CompatOption,
    DtypeOption,
    KOption,
    MetricOption,
    PolicyOption,
    RecipeArgument,
    RunOption,
    SetOption,
    overrides,
)
from evolve.cli.scoring import score
from prompts.errors import UserError


def run(
    recipe: RecipeArgument = "default",
    iteration: Annotated[
        int, typer.Option("--iter", min=1, help="Iteration; from 2 on give the trained --policy.")
    ] = 1,
    run: RunOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
    policy: PolicyOption = None,
    set_: SetOption = None,
) -> None:
    """Grow a dataset: compute what the pool lacks, select, write parquet. Run it again to resume."""
    from evolve.api import execute
    from evolve.recipe.loading import load_recipe
    from evolve.reports.summary import summary

    changes = overrides(set_, algo, metric, alpha, k, policy)
    if iteration > 1 and "policy.model" not in changes:
        raise UserError(
            f"Iteration {iteration} samples from the policy trained on iteration {iteration - 1}: give its folder with "
            "--policy (POLICY=... for make). The prompts X stay the same."
        )
    resolved = load_recipe(recipe, changes)
    print(summary(*execute(resolved, run_folder(run or resolved.name), iteration, view_only=False)))


def annotate(
    target: Annotated[str, typer.Argument(help="A run. (A file of lines is what `evolve score` is for.)")],
    reward: Annotated[
        str | None, typer.Option(help="Reward model: a folder or Hub name. Default: the recipe's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="For a file: where to write.")] = None,
    batch_tokens: BatchOption = None,
    dtype: DtypeOption = "auto",
    compat: CompatOption = False,
    follow: Annotated[bool, typer.Option("--follow", help="Take rows as they appear until the run is done.")] = False,
) -> None:
    """Score the responses of a run that lack a reward; with --follow while it is sampled, on another device."""
    if Path(target).is_file():
        if reward is None or out is None:
            raise UserError("To score a file: `evolve score FILE.jsonl --reward MODEL --out SCORES.jsonl`.")
        return score(Path(target), reward, out, batch_tokens, dtype, compat)
    from evolve.executors.local import score_run
    from evolve.recipe.stored import stored_recipe

    folder = existing_folder(target, follow)
    changes: dict[str, Any] = {"reward.model": reward, "reward.compat": compat or None}
    changes |= {"reward.dtype": None if dtype == "auto" else dtype, "reward.batch_tokens": batch_tokens}
    recipe = stored_recipe(folder, {key: value for key, value in changes.items() if value is not None})
    print(score_run(folder, recipe, follow))
