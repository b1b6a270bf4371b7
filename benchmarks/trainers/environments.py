"""An environment for each trainer, from the pins in requirements/: made once, made again when the pins change."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from benchmarks.trainers.trainers import Trainer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INSTALL = ROOT / "locks/environment.sh"


class Failed(Exception):
    """A step of one trainer failed; the others go on."""


def pins(trainer: Trainer) -> Path:
    return HERE / "requirements" / f"{trainer.module}.txt"


def version(trainer: Trainer) -> str:
    """As pinned."""
    found = re.search(rf"^(?:# )?{re.escape(trainer.distribution)}==(\S+)", pins(trainer).read_text(), re.MULTILINE)
    if found is None:
        raise Failed(f"{pins(trainer)} has no version of {trainer.distribution}.")
    return found[1]


def python_of(trainer: Trainer, folder: Path) -> Path:
    """The interpreter of the trainer's environment in `folder`, which is installed where its pins are not there yet.

    The stamp is written last: what was cut off is installed on, and a file that is there is not fetched again.
    """
    environment = folder / trainer.module
    wanted = hashlib.sha256(pins(trainer).read_bytes() + INSTALL.read_bytes()).hexdigest()[:16]
    stamp = environment / "pins"
    if not (stamp.is_file() and stamp.read_text() == wanted):
        log = folder / f"{trainer.module}-install.log"
        run_logged(["bash", str(INSTALL), "trainer", str(environment), str(pins(trainer))], log)
        stamp.write_text(wanted)
    return environment / "bin/python"


def run_logged(command: list[str], log: Path, **environment: str) -> None:
    """Run a command with its output in `log`. Raises `Failed` with the end of it."""
    with log.open("wb") as file:
        told = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environment, cwd=log.parent, check=False
        )
    if told.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise Failed(f"exit {told.returncode}, {log}: {lines[-1] if lines else 'no output'}")
