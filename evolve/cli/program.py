"""The command `evolve`. Logs and progress go to stderr, results to stdout. What is heavy is imported when needed."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Annotated, Any

import typer

from evolve import __version__
from evolve.cli import comparing, growing, judging, looping, publishing, reporting, scoring, viewing
from evolve.cli.terminal import Formatter, Termination, is_no_interruption, of_the_system, prepare, tell, use_utf8
from prompts.errors import UserError

log = logging.getLogger(__name__)

INTERRUPTED, TERMINATED = 130, 143  # 128 + SIGINT, 128 + SIGTERM, as shells have it
WRONG_USAGE = typer.BadParameter.__mro__[1]  # all errors of usage, which typer has no public name for

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Grow preference data by self-play: rewrite prompts, sample, score, pair, select.",
)
COMMANDS = (
    growing.run,
    looping.loop,
    viewing.select,
    scoring.check,
    viewing.status,
    viewing.export,
    comparing.compare,
    reporting.report,
    reporting.explain,
    judging.judge,
    reporting.contamination,
    publishing.push,
    growing.annotate,
    scoring.score,
    judging.rewards,
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
    handler.addFilter(is_no_interruption)
    handler.setFormatter(Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[handler])
    logging.getLogger("evolve").setLevel(logging.DEBUG if verbose else logging.INFO)


def main() -> None:
    """Entry point: a user's error, wrong usage and what the system refuses are a message and exit code 2; Ctrl-C is
    130, SIGTERM 143; the rest are bugs with a traceback and 1. All that is told of errors passes through `tell`.
    """
    use_utf8()
    prepare()
    termination = Termination()
    termination.heed()
    try:
        code = app(prog_name="evolve", standalone_mode=False)  # what typer would print itself might tell secrets
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as stop:
        code = stop.code
    except Exception as error:
        code = _told(error)
    if code == INTERRUPTED:
        word = "terminated" if termination.came else "interrupted"
        tell(f"\nevolve: {word}. What was finished is in the pool; the same command goes on from there.")
        code = TERMINATED if termination.came else INTERRUPTED
    sys.exit(code)


def _told(error: Exception) -> int:
    """Tell the user of an error; returns the exit code."""
    if isinstance(error, UserError):
        tell(f"evolve: {error}")
        return 2
    if isinstance(error, WRONG_USAGE):
        return _told_usage(error)
    if isinstance(error, OSError) and (said := of_the_system(error)):
        log.debug("where it happened", exc_info=error)
        tell(f"evolve: {said}")
        return 2
    tell("".join(traceback.format_exception(error)))
    return 1


def _told_usage(error: Any) -> int:
    """What typer says of a wrong command line, in plain lines: in a box a secret might be cut by the end of a line."""
    if type(error).__name__ != "NoArgsIsHelpError":  # then the help was printed
        context = error.ctx
        usage = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n" if context else ""
        tell(f"{usage}Error: {error.format_message()}")
    return int(error.exit_code)
