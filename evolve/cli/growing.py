"""Commands that call models for a run: run, annotate."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from evolve.cli.folders import existing_folder, run_folder
from evolve.cli.options import (
    AlgoOption,
    AlphaOption,
    BatchOption,
    CompatOption,
    DtypeOption,
    ForceOption,
    IterOption,
    KOption,
    MetricOption,
    PolicyOption,
    RecipeArgument,
    RunOption,
    SetOption,
    is_of_the_view,
    overrides,
)
from evolve.cli.scoring import score_lines
from evolve.cli.terminal import say
from evolve.recipe.choices import LAST_ITERATION
from prompts.errors import UserError


def run(
    recipe: RecipeArgument = "default",
    iteration: Annotated[
        int, typer.Option("--iter", min=1, max=LAST_ITERATION, help="Iteration; from 2 on give the trained --policy.")
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
    from evolve.loop.trained import policy_for
    from evolve.recipe.loading import load_recipe
    from evolve.reports.summary import summary

    changes = overrides(set_, algo, metric, alpha, k, policy)
    if iteration > 1 and "policy.model" not in changes:
        folder = run_folder(run or load_recipe(recipe, changes).name)
        if not (trained := policy_for(folder, iteration)):
            raise UserError(
                f"Iteration {iteration} samples from the policy trained on iteration {iteration - 1}: give its folder "
                "with --policy (POLICY=... for make), or let `evolve loop` train it. The prompts X stay the same."
            )
        changes["policy.model"] = trained
    resolved = load_recipe(recipe, changes)
    # Another algorithm or selection is a view: what this command is told about it is not the next one's default.
    defaults = load_recipe(recipe, {key: value for key, value in changes.items() if not is_of_the_view(key)})
    folder = run_folder(run or resolved.name)
    say(summary(*execute(resolved, folder, iteration, view_only=False, defaults=defaults)))


def annotate(
    target: Annotated[str, typer.Argument(help="A run. (A file of lines is what `evolve score` is for.)")],
    reward: Annotated[
        str | None, typer.Option(help="Reward model: a folder or Hub name. Default: the recipe's.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="For a file: where to write.")] = None,
    batch_tokens: BatchOption = None,
    dtype: DtypeOption = "auto",
    compat: CompatOption = False,
    follow: Annotated[bool, typer.Option("--follow", help="Take rows as they appear until the run is done.")] = False,
    iteration: IterOption = None,
    force: ForceOption = False,
) -> None:
    """Score the responses of a run that lack a reward; with --follow while it is sampled, on another device."""
    if _is_file(target, out):
        if reward is None or out is None:
            raise UserError("To score a file: `evolve score FILE.jsonl --reward MODEL --out SCORES.jsonl`.")
        return score_lines(target, reward, out, batch_tokens, dtype, compat, force)
    from evolve.executors.local import score_run
    from evolve.recipe.resolved import reread
    from evolve.recipe.stored import kept, last_iteration, stored_recipe

    folder = existing_folder(target, wait_for=(iteration or 1) if follow else None)
    iteration = iteration or last_iteration(folder)
    changes: dict[str, Any] = {"reward.model": reward, "reward.compat": compat or None}
    changes |= {"reward.dtype": None if dtype == "auto" else dtype, "reward.batch_tokens": batch_tokens}
    recipe = stored_recipe(folder, iteration, {key: value for key, value in changes.items() if value is not None})
    found = kept(folder, iteration)
    assert found is not None, "stored_recipe has read it"
    say(score_run(folder, reread(recipe, found), follow))


def _is_file(target: str, out: str | None) -> bool:
    """Whether `target` is a file to score and no run. With --out, or named like one, it is, also where it is missing:
    then it is the file that is told to be missing.
    """
    folder, named = os.path.isdir(target), target.lower().endswith((".jsonl", ".json", ".ndjson"))
    return os.path.isfile(target) or out is not None or (named and not folder and not _is_run(target))


def _is_run(name: str) -> bool:
    """Whether a run of this name, or at this path, is there."""
    try:
        return run_folder(name).is_dir()
    except (UserError, OSError):
        return False
