"""What the command says: results to stdout, all else to stderr, in any encoding, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from types import FrameType

from prompts.display import redacted, shown
from prompts.errors import UserError


def prepare() -> None:
    """Let both streams take any text: what their encoding lacks is written as an escape, never an exception."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (closed by who called)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """A result, to stdout. Raises `UserError` where it can't be written; a reader that went away is no error."""
    try:
        print(shown(text), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(
            f"The result can't be written to the output ({error.strerror}). What it tells is done."
        ) from error


def tell(text: str) -> None:
    """A message to the user, to stderr, without the secrets that an error may quote."""
    print(redacted(shown(text)), file=sys.stderr)


class Formatter(logging.Formatter):
    """Log lines as `tell` writes messages."""

    def format(self, record: logging.LogRecord) -> str:
        said: str = redacted(shown(super().format(record)))
        return said


class Termination:
    """SIGTERM as Ctrl-C: what is finished is written, then the command ends. `came` says which of the two it was."""

    def __init__(self) -> None:
        self.came = False
        self._process = os.getpid()

    def heed(self) -> None:
        """From now on, in the main thread of this process; a child that inherits the handler dies as before."""
        try:
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:  # another thread runs the command: signals are its program's affair
            return

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self.came = True
        if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):  # a job in the background
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)
