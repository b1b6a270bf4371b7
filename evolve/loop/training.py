"""A training command as a child of this program: its log, its end, its last lines, and no process left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil

from evolve.loop import tied
from evolve.pool.files import told
from prompts.display import redacted, shown
from prompts.errors import UserError

MARK = "EVOLVE_SELECT_TRAINS"  # in the environment of all that a training starts: the folder that it writes
GRACE = 20.0  # seconds in which a trainer that is told to end may save what it has
N_LINES, WIDTH, TAIL = 15, 300, 1 << 16  # of the end of a log
SECONDS_BETWEEN_LINES = 15.0


def train(command: Sequence[str], output: Path, log: Path, what: str) -> None:
    """Run `command`, which writes a model into the folder `output`, until it ends; all that it says goes to `log`.

    Whatever ends this call, nothing that the command started is left. Raises `UserError` with the log's last lines if
    the command can't be started or ends with anything but 0.
    """
    if shutil.which(command[0]) is None:
        raise UserError(
            f"training.command: there is no program {shown(command[0], one_line=True)!r} that can be run. Give its "
            "path, or {python} for the Python that evolve runs in."
        )
    end_all(output)
    with told(log), log.open("wb") as file:
        file.write(redacted(f"$ {shown(' '.join(command), one_line=True)}\n").encode(errors="backslashreplace"))
        file.flush()
        process = subprocess.Popen(
            [sys.executable, tied.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {MARK: str(output.resolve())},
            start_new_session=True,  # so that Ctrl-C reaches it once, from here
        )
    try:
        code = _wait(process, log, what)
    finally:
        _end(process)
        end_all(output)
    if code:
        how = f"ended with exit code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        raise UserError(
            f"{what} {how}. Its last lines ({log}):\n{last_lines(log)}\nNothing is skipped: mend it and run the same "
            "command again, which goes on with this training."
        )


def _wait(process: subprocess.Popen[bytes], log: Path, what: str) -> int:
    """The exit code. Meanwhile a line now and then says how long it has trained and what it said last."""
    started = time.monotonic()
    while True:
        seconds = time.monotonic() - started
        try:
            return process.wait(timeout=max(SECONDS_BETWEEN_LINES, seconds / 20))
        except subprocess.TimeoutExpired:
            passed = timedelta(seconds=round(time.monotonic() - started))
            said = last_lines(log, 1).strip()
            print(redacted(f"{what} | {passed} | {said}"), file=sys.stderr, flush=True)


def last_lines(log: Path, n: int = N_LINES) -> str:
    """The last lines of a log of any size, as text that a terminal can take; bars are lines that replace each other."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        text = file.read().decode("utf-8", "replace")
    lines = [shown(line, one_line=True) for line in re.split(r"[\r\n]+", text) if line.strip()]
    return "\n".join(f"  {line if len(line) <= WIDTH else line[: WIDTH - 1] + '…'}" for line in lines[-n:])


def end_all(output: Path) -> None:
    """End whatever a training of this folder has left running, were it that the program was killed meanwhile."""
    left = [one for one in psutil.process_iter() if _trains(one, str(output.resolve()))]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=GRACE)


def _trains(process: psutil.Process, output: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == output
    except (psutil.Error, OSError):
        return False  # another user's, or gone


def _end(process: subprocess.Popen[bytes]) -> None:
    """Tell the whole group to end, and wait for the command; what does not heed it is killed by `end_all`."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE)
