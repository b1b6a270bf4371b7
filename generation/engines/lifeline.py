"""The engine's process ends when the program does, even by kill -9: a device still held is lost to the next run.

vLLM stops its process only when the program ends in good order. It calls `die_with_the_program` in each process that
it starts, as a plugin (entry point `vllm.general_plugins` in pyproject.toml).
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

PROGRAM = "EVOLVE_SELECT_PROGRAM"  # the process whose engines these are; other users of vLLM are left alone
_PR_SET_PDEATHSIG = 1


def mark_program() -> None:
    """Called by the program before it starts an engine."""
    os.environ[PROGRAM] = str(os.getpid())


def die_with_the_program() -> None:
    """Linux only. Processes further down watch the engine's process themselves."""
    parent = multiprocessing.parent_process()
    if parent is None or str(parent.pid) != os.environ.get(PROGRAM) or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent.pid:  # it died before it could be asked for
        os._exit(1)
