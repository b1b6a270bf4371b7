"""Commands about reward models and existing data: score, check."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from evolve.cli.folders import checked_path, existing_folder, run_folder
from evolve.cli.options import (
    BatchOption,
    CompatOption,
    DtypeOption,
    ForceOption,
    IterOption,
    RecipeArgument,
    SetOption,
    overrides,
)
from evolve.cli.terminal import say
from evolve.recipe.choices import HeadDtype, RewardDtype
from prompts.errors import UserError


def score(
    target: Annotated[str, typer.Argument(help="A file of {prompt, response} lines, preference data, or a run.")],
    reward: Annotated[
        str | None, typer.Option(help="Reward model: a folder or Hub name. Default: the data's own rewards.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="For lines: file to write, one line for each line in.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="For preference data: whose log-probabilities; a folder or Hub name.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Reference model, for preference data or a run: a folder or Hub name.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="For preference data: the run to make of it.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the preference data.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=10**12, help="So many pairs, a random sample.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="A column by its role: --column chosen=answer_a. May repeat."),
    ] = None,
    all_responses: Annotated[
        bool, typer.Option("--all-responses", help="All responses that the data has to a prompt, not the pair alone.")
    ] = False,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut responses over the context. By default such pairs leave.")
    ] = False,
    head: Annotated[HeadDtype, typer.Option(help="Precision of the policy's product with its vocabulary.")] = "float32",
    batch_tokens: BatchOption = None,
    dtype: DtypeOption = "auto",
    compat: CompatOption = False,
    set_: SetOption = None,
    iteration: IterOption = None,
    force: ForceOption = False,
) -> None:
    """Score what exists. Lines (--reward, --out): a reward for each {prompt, response}. Preference data (--policy): a
    run of its pairs, with what they lack. A run (--reference): its responses' log-probabilities by a reference model.
    """
    data_only = {
        "--run": run,
        "--split": split,
        "--limit": limit,
        "--column": column,
        "--all-responses": all_responses,
        "--truncate": truncate,
    }
    if policy is not None:
        _refuse({"--out": out, "--iter": iteration, "--force": force}, "preference data, which becomes a run (--run)")
        changes = {"prompts.split": split, "prompts.limit": limit, "reward.batch_tokens": batch_tokens}
        changes |= {"reward.compat": compat or None, "reward.dtype": None if dtype == "auto" else dtype}
        changes = {key: value for key, value in changes.items() if value is not None} | overrides(set_)
        models = {"policy": policy, "reference": reference, "reward": reward}
        how = {"all_responses": all_responses, "truncate": truncate, "head": head, "batch_tokens": batch_tokens}
        return _score_data(target, models, run, changes, _named(column or []), how)
    if reference is not None:
        _refuse(
            data_only | {"--out": out, "--reward": reward, "--force": force}, "a run (`evolve annotate` has rewards)"
        )
        return _refer(
            target, {"reference": {"model": reference, "head": head}}, overrides(set_), batch_tokens, iteration
        )
    _refuse(data_only | {"--set": set_, "--iter": iteration}, "lines; for preference data give --policy as well")
    if reward is None or out is None:
        raise UserError(
            f"{target}: what is to be computed? For a file of lines give --reward and --out, for preference data "
            "--policy, for a run --reference."
        )
    score_lines(target, reward, out, batch_tokens, dtype, compat, force)


def score_lines(
    file: str, reward: str, out: str, batch_tokens: int | None, dtype: RewardDtype, compat: bool, force: bool
) -> None:
    """One line out for each line of {prompt, response} in, in the same order. Exit code 1: none was scored."""
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


def _refuse(options: dict[str, Any], what: str) -> None:
    """Raise `UserError` for options that are not of what is to be scored."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UserError(f"{given[0]} is not for {what}. See `evolve score --help`.")


def _named(columns: list[str]) -> dict[str, str]:
    """Roles and columns of --column ROLE=NAME."""
    found = {}
    for text in columns:
        role, separator, name = text.partition("=")
        if not separator or not role.strip() or not name.strip():
            raise UserError(f"--column {text[:80]!r}: expected ROLE=NAME, such as --column chosen=answer_a.")
        found[role.strip()] = name.strip()
    return found


def _score_data(
    data: str,
    models: dict[str, str | None],
    run: str | None,
    changes: dict[str, Any],
    named: dict[str, str],
    how: dict[str, Any],
) -> None:
    from evolve.executors.forced import score_data
    from evolve.recipe.given import given_recipe
    from evolve.reports.scored import scored
    from evolve.watch.tally import Tally

    tally = Tally()
    policy = models.pop("policy")
    assert policy is not None
    recipe = given_recipe(data, policy=policy, truncate=how["truncate"], changes=changes, **models)
    folder = run_folder(run or recipe.name)
    resolved = score_data(recipe, folder, named=named, tally=tally, **how)
    say(scored(folder, resolved, tally))
    if tally.owed:
        raise typer.Exit(1)


def _refer(
    run: str, section: dict[str, Any], changes: dict[str, Any], batch_tokens: int | None, iteration: int | None
) -> None:
    from evolve.executors.forced import refer_run
    from evolve.recipe.stored import last_iteration, stored_recipe
    from evolve.reports.scored import referred
    from evolve.watch.tally import Tally

    folder = existing_folder(run)
    iteration = iteration or last_iteration(folder)
    if batch_tokens:
        section["reference"]["batch_tokens"] = batch_tokens
    recipe, tally = stored_recipe(folder, iteration, section | changes), Tally()
    resolved, compared = refer_run(folder, recipe, iteration, tally)
    say(referred(folder, resolved, compared, tally))
    if tally.owed:
        raise typer.Exit(1)


def check(
    recipe: RecipeArgument = "default",
    set_: SetOption = None,
    golden: Annotated[
        bool,
        typer.Option(
            "--golden", help="Load the reward model and hold it to its model card (ArmoRM, Skywork-Reward-V2)."
        ),
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
