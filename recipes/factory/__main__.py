"""`python -m recipes.factory`, from the checkout's root. What is heavy is imported when needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from recipes.factory import EMBEDDED

WORK = Path(tempfile.gettempdir()) / "evolve-embedded"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The factory of the embedded models.",
)


@app.command()
def build(
    work: Annotated[Path, typer.Option(help="Checkpoints lie here.")] = WORK,
    out: Annotated[
        Path,
        typer.Option(help="policy/, reward/ and prompts.jsonl are written here.", show_default="recipes/embedded"),
    ] = EMBEDDED,
    policy_steps: Annotated[int, typer.Option(help="Steps of the policy's training.")] = 6500,
    reward_steps: Annotated[int, typer.Option(help="Steps of the reward model's training.")] = 6000,
    pool: Annotated[int, typer.Option(help="Prompts whose sampled answers the reward model learns from.")] = 10000,
    only: Annotated[Literal["policy", "reward", "prompts"] | None, typer.Option(help="One part alone.")] = None,
) -> None:
    """Build the embedded models from nothing.

    Draws the data, trains the tokenizer, the policy and the reward model, and
    writes the prompts. A killed run goes on where its last checkpoint lies;
    remove the work folder to start afresh. Prints how long each step took.
    """
    from recipes.factory.build import build_all

    build_all(work, out, policy_steps, reward_steps, pool, only)


@app.command()
def measure(
    more: Annotated[int, typer.Option(help="Held-out prompts beside the shipped ones.")] = 100,
    policy: Annotated[Path, typer.Option(show_default="recipes/embedded/policy")] = EMBEDDED / "policy",
    reward: Annotated[Path, typer.Option(show_default="recipes/embedded/reward")] = EMBEDDED / "reward",
) -> None:
    """Measure the embedded models on prompts held out from training.

    Rewrites held-out prompts by the five templates, samples 5 responses to
    every prompt and kept rewrite (temperature 0.8, top-p 0.95), scores them
    with the reward model and holds all of it against the world's checkers.
    """
    from recipes.factory.measure import report

    report(more, policy, reward)


if __name__ == "__main__":
    app(prog_name="python -m recipes.factory")
