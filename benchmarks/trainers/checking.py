"""One trainer checked: export, load in its environment, compare; each step kept in the folder of environments."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.trainers.comparing import SIDES, Compared, Pair, Tokens, compare
from benchmarks.trainers.environments import HERE, ROOT, pins, python_of, run_logged, version
from benchmarks.trainers.rows import EDGES, Reference, dataset_of, edge_run
from benchmarks.trainers.trainers import Trainer

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "DISABLE_VERSION_CHECK": "1"}


@dataclass
class Result:
    """What was found of one trainer."""

    title: str
    version: str
    form: str
    run: Compared | None = None
    edges: Compared | None = None
    seconds: float = 0.0
    """Of the loader's process on the rows of the run, imports included."""
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
        loaded, result.seconds = self._loaded(trainer, python, "run")
        result.run = compare(self.rows["run"], loaded, self._vocabulary)
        result.told += result.run.told()
        loaded, _ = self._loaded(trainer, python, "edges")
        result.edges = compare(self.rows["edges"], loaded, self._vocabulary)
        for name, faults in zip(EDGES, result.edges.faults, strict=True):
            result.told += [f"edge row `{name}`, {side}: {told}" for side, told in faults.items() if told]
        return result

    def _loaded(self, trainer: Trainer, python: Path, rows: str) -> tuple[list[Pair], float]:
        """What the trainer's loader makes of the exported rows, and its process's seconds; kept by what went in."""
        data = self._exported(trainer, rows)
        key = _digest(pins(trainer), HERE / f"loaders/{trainer.module}.py", HERE / "inside.py", self._policy, data)
        kept = self._folder / "loaded" / f"{trainer.module}-{rows}-{key}.jsonl"
        seconds = kept.with_suffix(".seconds")
        if not (kept.is_file() and seconds.is_file()):
            started = time.monotonic()
            scratch = self._folder / "scratch" / trainer.module
            scratch.mkdir(parents=True, exist_ok=True)
            kept.parent.mkdir(exist_ok=True)
            command = [str(python), "-m", "benchmarks.trainers.inside", trainer.module]
            command += [str(data), str(self._policy), str(kept)]
            places = {"PYTHONPATH": str(ROOT), "HF_HOME": str(scratch), "MODELSCOPE_CACHE": str(scratch)}
            run_logged(command, scratch / f"{rows}.log", **OFFLINE, **places)
            seconds.write_text(f"{time.monotonic() - started:.1f}", encoding="utf-8")
        lines = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
        return [{side: _tokens(*line[side]) for side in SIDES} for line in lines], float(seconds.read_text())

    def _exported(self, trainer: Trainer, rows: str) -> Path:
        """The rows in the trainer's form, by the program's own command."""
        out = self._folder / "exports" / trainer.module / rows
        out.mkdir(parents=True, exist_ok=True)
        target = out / trainer.file
        command = [sys.executable, "-m", "evolve", "export", str(self._runs[rows]), "--format", trainer.form]
        run_logged([*command, "--out", str(target), "--force"], out.with_suffix(".log"), PYTHONPATH=str(ROOT))
        return target


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
