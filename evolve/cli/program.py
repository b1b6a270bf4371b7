"""The command `evolve`. Logs and progress go to stderr, results to stdout. What is heavy is imported when needed."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from evolve import __version__
from evolve.cli import growing, scoring, viewing
from prompts.errors import UserError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Grow preference data by self-play: rewrite prompts, sample, score, pair, select.",
)
COMMANDS = (
    growing.run,
    viewing.select,
    scoring.check,
    viewing.status,
    viewing.export,
    growing.annotate,
    scoring.score,
)
for _command in COMMANDS:
    app.command()(_command)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"evolve-select {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
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
