"""One trainer checked: export, load in its environment, compare; each step kept in the folder of environments."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.trainers.comparing import SIDES, Compared, Pair, Tokens, compare
from benchmarks.trainers.environments import HERE, ROOT, Failed, pins, python_of, run_logged, version
from benchmarks.trainers.rows import EDGES, Reference, dataset_of, edge_run
from benchmarks.trainers.trainers import Trainer

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "WANDB_MODE": "disabled",
    "DO_NOT_TRACK": "1",  # axolotl tells its makers of each error, with the traceback
    "DISABLE_VERSION_CHECK": "1",  # of LLaMA-Factory, whose own pins have a torch of their own
}


@dataclass
class Result:
    """What was found of one trainer."""

    title: str
    version: str
    form: str
    run: Compared | None = None
    edges: Compared | None = None
    seconds: float | None = None
    """Of the process that loads both, imports included."""
    told: list[str] = field(default_factory=list)
    """What is wrong, in words."""
    failed: str = ""

    @property
    def passed(self) -> bool:
        return self.run is not None and self.run.all_identical and not self.failed


class Check:
    """The rows of a run and the edge rows, with what the policy's template makes of them."""

    def __init__(self, run: Path, policy: Path, folder: Path) -> None:
        self._policy, self._folder = policy, folder
        self._runs = {"run": run, "edges": edge_run(run, folder / "edge-run")}
        reference = Reference(policy)
        self._vocabulary = reference.vocabulary
        self.rows = {name: list(map(reference.expected, dataset_of(of))) for name, of in self._runs.items()}
        if odd := reference.n_odd_ends(self.rows["run"]):
            raise SystemExit(f"{odd} sequences of the run have not one end-of-turn by the policy's own template.")

    def result(self, trainer: Trainer) -> Result:
        """Raises `Failed` where the environment, the export or the loader fails."""
        python = python_of(trainer, self._folder)
        result = Result(trainer.title, version(trainer), trainer.form)
        kept = self._loaded(trainer, python, result)
        result.run = compare(self.rows["run"], _read(kept["run"]), self._vocabulary)
        result.told += result.run.told()
        if kept["edges"].is_file():
            result.edges = compare(self.rows["edges"], _read(kept["edges"]), self._vocabulary)
            for name, faults in zip(EDGES, result.edges.faults, strict=True):
                result.told += [f"edge row `{name}`, {side}: {told}" for side, told in faults.items() if told]
        return result

    def _loaded(self, trainer: Trainer, python: Path, result: Result) -> dict[str, Path]:
        """What the trainer's loader makes of the rows, as files, kept by what went in. Fills in the seconds.

        A loader that fails on the edge rows is told; raises `Failed` where it fails on the run's.
        """
        data = {rows: self._exported(trainer, rows) for rows in self._runs}
        ours = (pins(trainer), HERE / f"loaders/{trainer.module}.py", HERE / "inside.py")
        exported = [path if path.is_dir() else path.parent for path in data.values()]  # with the configurations beside
        key = _digest(*ours, self._policy, *exported)
        kept = {rows: self._folder / f"loaded/{trainer.module}-{key}-{rows}.jsonl" for rows in data}
        seconds = self._folder / f"loaded/{trainer.module}-{key}-seconds"
        if not seconds.is_file():
            scratch = self._folder / "scratch" / trainer.module
            scratch.mkdir(parents=True, exist_ok=True)
            seconds.parent.mkdir(exist_ok=True)
            command = [str(python), "-m", "benchmarks.trainers.inside", trainer.module, str(self._policy)]
            command += [str(path) for rows in data for path in (data[rows], kept[rows])]
            places = {"PYTHONPATH": str(ROOT), "HF_HOME": str(scratch), "MODELSCOPE_CACHE": str(scratch)}
            for path in kept.values():
                path.unlink(missing_ok=True)  # of a process that was cut off
            started = time.monotonic()
            try:
                run_logged(command, scratch / "load.log", **QUIET, **places)
            except Failed as failed:
                if not kept["run"].is_file():
                    raise
                result.told.append(f"edge rows: {failed}")
            else:
                seconds.write_text(f"{time.monotonic() - started:.1f}", encoding="utf-8")
        result.seconds = float(seconds.read_text()) if seconds.is_file() else None
        return kept

    def _exported(self, trainer: Trainer, rows: str) -> Path:
        """The rows in the trainer's form, by the program's own command."""
        out = self._folder / "exports" / trainer.module / rows
        out.mkdir(parents=True, exist_ok=True)
        target = out / trainer.file
        command = [sys.executable, "-m", "evolve", "export", str(self._runs[rows]), "--to", trainer.form]
        run_logged([*command, "--out", str(target), "--force"], out.with_suffix(".log"), PYTHONPATH=str(ROOT))
        return target


def _read(path: Path) -> list[Pair]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [{side: _tokens(*line[side]) for side in SIDES} for line in lines]


def _tokens(ids: list[int], trained: list[int]) -> Tokens:
    return Tokens(tuple(ids), tuple(map(bool, trained)))


def _digest(*paths: Path) -> str:
    """Of the names and contents of files, and of folders' files."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
