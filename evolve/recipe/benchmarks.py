"""The benchmarks that a run's selections are held against, as the run keeps them: digests, no text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evolve.pool.files import not_read
from evolve.pool.json_files import Damaged, read_json, write_json
from evolve.sources.benchmarks import benchmark_prompts
from prompts import content_id
from prompts.overlap import Index, index_of

FOLDER = "benchmarks"
FORMAT = 1  # counted up when words or digests are made otherwise: what was kept is then read anew


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's source as the recipe names it, its index, and the identity of its content."""

    source: str
    index: Index

    @property
    def id(self) -> str:
        return content_id("benchmark", FORMAT, self.index.digests.tolist(), self.index.n_words.tolist())


def kept_benchmarks(folder: Path, sources: Sequence[str]) -> list[Benchmark]:
    """The benchmarks `sources` as the run in `folder` has them. One that it lacks is read from its source and kept;
    from then on it stays as it is, whatever becomes of the source, so that a view needs the run's folder alone.

    Raises `UserError` for a source that can't be read and is not kept.
    """
    return [_kept(folder, source) or _read(folder, source) for source in sources]


def _path(folder: Path, source: str) -> Path:
    return folder / FOLDER / f"{content_id('benchmark source', source)}.json"


def _read(folder: Path, source: str) -> Benchmark:
    found = Benchmark(source, index_of(text for _, text in benchmark_prompts(source)))
    data = {"source": source, "format": FORMAT, "prompts": len(found.index)}
    data |= {"digests": _packed(found.index.digests, "<u8"), "n_words": _packed(found.index.n_words, "<u4")}
    write_json(_path(folder, source), data)
    return found


def _kept(folder: Path, source: str) -> Benchmark | None:
    """None where it is not kept, or what is kept is damaged or of another format."""
    path = _path(folder, source)
    try:
        data = read_json(path)
    except (FileNotFoundError, Damaged):
        return None
    except OSError as error:
        raise not_read(path, error) from error
    if data.get("format") != FORMAT:
        return None
    return Benchmark(source, Index(_unpacked(data["digests"], "<u8"), _unpacked(data["n_words"], "<u4")))


def _packed(numbers: np.ndarray, kind: str) -> str:
    return base64.b64encode(numbers.astype(kind).tobytes()).decode()


def _unpacked(text: Any, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)
