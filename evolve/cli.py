"""The command `evolve`. Logs and progress go to stderr, results to stdout. What is heavy is imported when needed."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from prompts.errors import UserError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Grow preference data by self-play: rewrite prompts, sample, score, pair, select.",
)

RecipeArgument = Annotated[str, typer.Argument(help="Name of a shipped recipe or a .toml file.")]
RunOption = Annotated[
    str | None, typer.Option("--run", help="Folder of the run, or a name under runs/. Default: the recipe's name.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Any recipe key: --set sampling.n=8. May repeat.")]
AlgoOption = Annotated[
    str | None,
    typer.Option("--algo", "--algorithm", help="evolve-then-select (Algorithm 1) or select-then-evolve (Algorithm 2)."),
]
MetricOption = Annotated[str | None, typer.Option(help="map (M_AP), eva (M_r), implicit (-M_pi) or uniform.")]
AlphaOption = Annotated[float | None, typer.Option(help="Weight of the implicit margin in M_AP.")]
KOption = Annotated[str | None, typer.Option("--k", "-k", help="Pairs to select: a number or a percentage (20%).")]
PolicyOption = Annotated[
    str | None, typer.Option(help="Policy: a folder or Hub name, such as the checkpoint trained last.")
]
RunArgument = Annotated[str, typer.Argument(help="Folder of the run, or a name under runs/.")]
IterOption = Annotated[int | None, typer.Option("--iter", min=1, help="Iteration. Default: the last there is.")]


@app.command()
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
    from evolve.recipe import load_recipe

    overrides = _overrides(set_, algo, metric, alpha, k, policy)
    if iteration > 1 and "policy.model" not in overrides:
        raise UserError(
            f"Iteration {iteration} samples from the policy trained on iteration {iteration - 1}: give its folder with "
            "--policy (POLICY=... for make). The prompts X stay the same."
        )
    resolved = load_recipe(recipe, overrides)
    _execute(resolved, _run_folder(run or resolved.name), iteration, view_only=False)


@app.command()
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
    folder, recipe = _stored_recipe(run, _overrides(set_, algo, metric, alpha, k, None))
    _execute(recipe, folder, iteration or _last_iteration(folder), view_only=True)


@app.command()
def check(
    recipe: RecipeArgument = "default",
    set_: SetOption = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="Load the reward model and hold it to ArmoRM's card.")
    ] = False,
) -> None:
    """Resolve a recipe and print it as JSON. Touches no model and no network, unless --golden asks for it."""
    from evolve.recipe import load_recipe

    resolved = load_recipe(recipe, _overrides(set_))
    if not golden:
        print(resolved.model_dump_json(indent=2))
        return
    import rewards

    model = rewards.load(resolved.reward.model, dtype=resolved.reward.dtype, compat=resolved.reward.compat)
    for what, expected, found in rewards.golden_check(model):
        print(f"{what}: {found:.4f}, the model card says {expected:.4f}")


@app.command()
def status(run: RunArgument) -> None:
    """What the pool of a run holds and which datasets were made of it."""
    from evolve.status import describe

    print(describe(_existing_folder(run)))


@app.command()
def export(
    run: RunArgument,
    format: Annotated[
        str, typer.Option("--format", "-f", help="trl, openrlhf, llamafactory, or responses (all of them, scored).")
    ],
    out: Annotated[Path, typer.Option(help="File to write; for llamafactory a folder.")],
    iteration: IterOption = None,
    algo: AlgoOption = None,
    metric: MetricOption = None,
    alpha: AlphaOption = None,
    k: KOption = None,
) -> None:
    """Write a dataset that was made in the form that a trainer reads."""
    from evolve.export import export as write

    folder, recipe = _stored_recipe(run, _overrides(None, algo, metric, alpha, k, None))
    print(write(folder, iteration or _last_iteration(folder), recipe, format, out))


@app.command()
def annotate(
    target: Annotated[str, typer.Argument(help="A .jsonl file of {prompt, response}, or a run.")],
    reward: Annotated[
        str | None, typer.Option(help="Reward model: a folder or Hub name. For a run its recipe's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="For a file: where to write, one line for each line in.")] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a batch (default: 2048 on a CPU, 16384 on a GPU).")
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or auto.")] = "auto",
    compat: Annotated[
        bool, typer.Option("--compat", help="Special strings in text as the released code has it.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="For a run: take rows as they appear until it is done.")
    ] = False,
) -> None:
    """Score responses: those of a file, or those of a run that lack a reward (while it is sampled, with --follow)."""
    if Path(target).is_file():
        from evolve.annotate_file import annotate_file

        if reward is None or out is None:
            raise UserError("To score a file give --reward MODEL and --out SCORES.jsonl.")
        print(annotate_file(Path(target), out, reward, batch_tokens=batch_tokens, dtype=dtype, compat=compat))
        return
    from evolve.annotate import annotate_run
    from evolve.recipe import override_recipe

    folder = _existing_folder(target, follow)
    stored = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    changes: dict[str, Any] = {"reward.model": reward, "reward.compat": compat or None}
    changes |= {"reward.dtype": None if dtype == "auto" else dtype, "reward.batch_tokens": batch_tokens}
    recipe = override_recipe(stored, {key: value for key, value in changes.items() if value is not None}, str(folder))
    print(annotate_run(folder, recipe, follow))


@app.callback()
def _options(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("evolve").setLevel(logging.DEBUG if verbose else logging.INFO)


def main() -> None:
    """Entry point: a user's error is a message and exit code 2, Ctrl-C is 130, the rest are bugs with a traceback."""
    try:
        app()
    except UserError as error:
        print(f"evolve: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:  # typer turns Ctrl-C into this exit
            raise
        print(
            "\nevolve: interrupted. What was finished is in the pool; the same command goes on from there.",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)


def _execute(recipe: Any, folder: Path, iteration: int, view_only: bool) -> None:
    from evolve.output import write_outcome
    from evolve.run import Run
    from evolve.summary import summary

    this = Run(recipe, folder, iteration, view_only)
    outcome = this.execute()
    written, manifest = write_outcome(this, outcome)
    print(summary(this, outcome, written, manifest))


def _overrides(
    set_: list[str] | None,
    algo: str | None = None,
    metric: str | None = None,
    alpha: float | None = None,
    k: str | None = None,
    policy: str | None = None,
) -> dict[str, Any]:
    from evolve.recipe import parse_override

    named = {
        "algorithm": algo,
        "selection.metric": metric,
        "selection.alpha": alpha,
        "selection.k": k,
        "policy.model": policy,
    }
    return {key: value for key, value in named.items() if value is not None} | dict(map(parse_override, set_ or []))


def _run_folder(name: str) -> Path:
    return Path(name) if "/" in name or Path(name).is_dir() else Path("runs") / name


def _existing_folder(run: str, wait: bool = False) -> Path:
    """The folder of a run that is there, or, with `wait`, that appears within a minute (its sampler is starting)."""
    folder = _run_folder(run)
    for _ in range(60 if wait else 0):
        if (folder / "recipe.json").exists():
            break
        time.sleep(1)
    if not (folder / "recipe.json").is_file():
        there = ", ".join(sorted(path.parent.name for path in Path("runs").glob("*/pool"))) or "none"
        raise UserError(f"No run at {folder}. Runs there are: {there}. `evolve run` makes one.")
    return folder


def _stored_recipe(run: str, overrides: dict[str, Any]) -> tuple[Path, Any]:
    from evolve.recipe import override_recipe

    folder = _existing_folder(run)
    path = folder / "recipe.json"
    return folder, override_recipe(json.loads(path.read_text(encoding="utf-8")), overrides, str(path))


def _last_iteration(folder: Path) -> int:
    return max((int(path.name.split("-")[1]) for path in folder.glob("iteration-*")), default=1)


if __name__ == "__main__":
    main()
