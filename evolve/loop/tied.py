"""Runs a command in this process's place that ends with the program that started it, were that killed (Linux).

python tied.py PARENT COMMAND ...
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # which launchers pass on to what they started
        if os.getppid() != int(sys.argv[1]):  # it died before it could be asked for
            sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])
