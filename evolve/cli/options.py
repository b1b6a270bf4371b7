"""The options that several commands take, and what they change in a recipe."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from evolve.recipe.choices import LAST_ITERATION, Algorithm, MetricName, RewardDtype

RecipeArgument = Annotated[str, typer.Argument(help="Name of a shipped recipe or a .toml file.")]
RunArgument = Annotated[str, typer.Argument(help="A name under runs/, or a path such as ./first.")]
RunOption = Annotated[
    str | None, typer.Option("--run", help="A name under runs/, or a path such as ./first. Default: the recipe's name.")
]
IterOption = Annotated[
    int | None, typer.Option("--iter", min=1, max=LAST_ITERATION, help="Iteration. Default: the last there is.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Any recipe key: --set sampling.n=8. May repeat.")]
AlgoOption = Annotated[
    Algorithm | None,
    typer.Option("--algo", "--algorithm", help="Algorithm 1, evolve then select; 2, eva's order; or D alone."),
]
METRICS = ", ".join(get_args(MetricName))
MetricOption = Annotated[
    str | None, typer.Option(help=f"What ranks pairs: {METRICS}, or your own, my_module:my_metric (docs/metrics.md).")
]
MetricsOption = Annotated[
    str | None,
    typer.Option(help=f"What ranks pairs, several with commas: {METRICS}, or your own, my_module:my_metric."),
]
AlphaOption = Annotated[str | None, typer.Option(help="Weight of the implicit margin in M_AP: a number, or auto.")]
KOption = Annotated[str | None, typer.Option("--k", "-k", help="Pairs to select: a number or a percentage (20%).")]
PolicyOption = Annotated[
    str | None, typer.Option(help="Policy: a folder or Hub name, such as the checkpoint trained last.")
]
BatchOption = Annotated[
    int | None, typer.Option(min=1, max=2**31 - 1, help="Tokens of a batch (default: 2048 on a CPU, 16384 on a GPU).")
]
DtypeOption = Annotated[RewardDtype, typer.Option(help="Precision of the reward model's backbone.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Write over what is there and is no earlier scoring of the file.")
]
CompatOption = Annotated[bool, typer.Option("--compat", help="Special strings in text as the released code has it.")]


def is_of_the_view(key: str) -> bool:
    """Whether a key of the recipe decides only what is selected from the rows, not the rows."""
    return key == "algorithm" or key.partition(".")[0] == "selection"


def overrides(
    set_: list[str] | None,
    algo: str | None = None,
    metric: str | None = None,
    alpha: str | None = None,
    k: str | None = None,
    policy: str | None = None,
) -> dict[str, Any]:
    """The recipe's keys that a command's options set, with their values."""
    from evolve.recipe.loading import parse_override

    named = {
        "algorithm": algo,
        "selection.metric": metric,
        "selection.alpha": alpha,
        "selection.k": k,
        "policy.model": policy,
    }
    return {key: value for key, value in named.items() if value is not None} | dict(map(parse_override, set_ or []))
