"""What the command says: results to stdout, all else to stderr, in any encoding, and nothing that a terminal obeys."""

from __future__ import annotations

import codecs
import errno
import io
import logging
import os
import signal
import sys
from contextlib import suppress
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


def use_utf8() -> None:
    """Begin this program anew with names of files read as UTF-8, where the locale (C, POSIX) says they are ASCII: a
    name typed, one in a recipe and one in a folder would else not be the same. Only as a program of its own.
    """
    typed = sys.argv[1:]
    is_program = sys.orig_argv[len(sys.orig_argv) - len(typed) :] == typed
    if os.name == "posix" and is_program and codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        os.environ["PYTHONUTF8"] = "1"  # of its children too
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


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
    """A message to the user, to stderr, without the secrets that an error may quote. A stderr that takes nothing (a
    full disk) changes no exit code.
    """
    with suppress(OSError, ValueError):
        print(redacted(shown(text)), file=sys.stderr, flush=True)


_WAYS_OUT = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space",
    errno.EROFS: "Name a folder that can be written to",
    errno.EACCES: "Name one that you may use",
    errno.EPERM: "Name one that you may use",
    errno.ENOENT: "Was it removed or moved meanwhile? Then put it back",
    errno.ENAMETOOLONG: "Give it a shorter name",
    errno.ELOOP: "Its links lead in a circle: mend them",
    errno.ENOTDIR: "A part of its path is a file where a folder was expected: mend the path",
    errno.EISDIR: "It is a folder where a file was expected: move it away",
    errno.ENOTEMPTY: "It is a folder where a file was expected: move it away",
    errno.EEXIST: "Something else is in its place: move it away",
    errno.EIO: "The disk or the way to it fails: check it",
    errno.ESTALE: "The disk or the way to it fails: check it",
    errno.EFBIG: "Raise the limit of this system (ulimit -f)",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Close what holds too many files open",
    errno.ENOMEM: "Free some memory",
    errno.ENXIO: "Name a regular file",
    errno.ENODEV: "Name a regular file",
    errno.EBUSY: "Something else holds it: wait until it is done",
    errno.ETXTBSY: "Something else holds it: wait until it is done",
    errno.EINVAL: "Name a regular file",
}


def of_the_system(error: OSError) -> str:
    """What the system would not do with which file, and the way out, as one sentence; empty for an error that is none
    of a file, such as a network's.
    """
    if error.errno is None or (error.filename is None and error.errno not in _WAYS_OUT):
        return ""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else "A file"
    why = error.strerror or os.strerror(error.errno)
    way_out = _WAYS_OUT.get(error.errno, "Check it")
    return f"{name} can't be used ({why}). {way_out}, and run the same command again."


class Formatter(logging.Formatter):
    """Log lines as `tell` writes messages."""

    def format(self, record: logging.LogRecord) -> str:
        said: str = redacted(shown(super().format(record)))
        return said


def is_no_interruption(record: logging.LogRecord) -> bool:
    """Of the log, all but what asyncio says of a task that Ctrl-C or SIGTERM came upon: the program says it itself."""
    return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


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
