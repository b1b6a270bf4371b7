"""The command `evolve`. Logs and progress go to stderr, results to stdout. What is heavy is imported when needed."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Annotated

import typer

from evolve import __version__
from evolve.cli import growing, publishing, reporting, scoring, viewing
from evolve.cli.terminal import Formatter, Termination, prepare, tell
from prompts.errors import UserError

INTERRUPTED, TERMINATED = 130, 143  # 128 + SIGINT, 128 + SIGTERM, as shells have it

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
    reporting.report,
    reporting.explain,
    publishing.push,
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[handler])
    logging.getLogger("evolve").setLevel(logging.DEBUG if verbose else logging.INFO)


def main() -> None:
    """Entry point: a user's error is a message and exit code 2; Ctrl-C is 130, SIGTERM 143; the rest are bugs with a
    traceback and 1.
    """
    prepare()
    termination = Termination()
    termination.heed()
    try:
        app()
    except UserError as error:
        tell(f"evolve: {error}")
        sys.exit(2)
    except PermissionError as error:  # whichever file of another user's it is
        tell(f"evolve: {error.filename or 'A file'} can't be used ({error.strerror}). Expected one that you may use.")
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:  # typer turns Ctrl-C into this exit
            raise
        word = "terminated" if termination.came else "interrupted"
        tell(f"\nevolve: {word}. What was finished is in the pool; the same command goes on from there.")
        sys.exit(TERMINATED if termination.came else INTERRUPTED)
    except Exception:
        tell(traceback.format_exc())
        sys.exit(1)
