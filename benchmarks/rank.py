"""How fast are 10 million scored pairs ranked, from parquet to parquet? The program's way against the paper's code's.

program:  `evolve.datasets.ranked.rank_file`: numbers by row group, the k best by a partition, their rows by row group.
lists:    as the paper's released scripts do: the file as a `datasets` set, columns to Python lists, M_AP pair by pair,
          a full argsort, `select`, `to_parquet`.

Each way runs in a process of its own, in turn (A B A B). Printed: seconds of each round from an idle interpreter with
its libraries loaded to the file on disk, CPU seconds, the peak memory of the process, medians and their ratio; and
whether both have selected the same pairs.

Measured so far: the program alone on 10,000,000 pairs, twice, on 2 cores that others shared (load about 4): 10.0 and
10.8 s, 9.6 and 10.1 CPU s, peak 1,476 MiB. The other way has not been run to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evolve.datasets.ranked import rank_file
from evolve.recipe.sections import Selection

ALPHA, SHARE = 2.5, "20%"
GROUP = 100_000


def main() -> None:
    arguments = _arguments()
    if arguments.way:
        return print(json.dumps(measured(WAYS[arguments.way], Path(arguments.source), Path(arguments.out))))
    folder = Path(tempfile.mkdtemp(prefix="rank-benchmark-", dir=arguments.folder))
    try:
        source = folder / "pairs.parquet"
        make(source, arguments.pairs)
        print(f"{arguments.pairs:,} pairs, {source.stat().st_size / 2**20:,.0f} MiB; load {os.getloadavg()[0]:.1f}")
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for way, of_way in found.items():
                command = [sys.executable, "-m", "benchmarks.rank", "--way", way, "--source", str(source)]
                command += ["--out", str(folder / f"{way}.parquet")]
                out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
                of_way.append(json.loads(out.splitlines()[-1]))
        report(found)
        first, other = (pq.read_table(folder / f"{way}.parquet", columns=["pair_id"]) for way in WAYS)
        same = len(set(first["pair_id"].to_pylist()) & set(other["pair_id"].to_pylist()))
        print(f"the same pairs selected: {same:,} of {len(first):,}; load {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(found: dict[str, list[dict[str, float]]]) -> None:
    for way, rounds in found.items():
        told = " ".join(f"{one['seconds']:.2f}" for one in rounds)
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        print(
            f"{way:<8} {told}   median {middle['seconds']:.2f} s, {middle['cpu']:.2f} CPU s, "
            f"peak {middle['peak_mib']:,.0f} MiB"
        )
    for key in ("seconds", "cpu"):
        ratio = statistics.median(
            lists[key] / program[key] for program, lists in zip(found["program"], found["lists"], strict=True)
        )
        print(f"lists / program: {ratio:.1f} in {key}, median of paired rounds")


def measured(way: Callable[[Path, Path], None], source: Path, out: Path) -> dict[str, float]:
    started, cpu = time.perf_counter(), time.process_time()
    way(source, out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "peak_mib": peak}


def program(source: Path, out: Path) -> None:
    rank_file(source, out, Selection(metric="map", alpha=ALPHA, k=SHARE))


def lists(source: Path, out: Path) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    cache = out.with_suffix(".cache")
    data = Dataset.from_parquet(str(source), cache_dir=str(cache))
    columns = {name: list(data[name]) for name in data.column_names if name.startswith(("score_", "logp_", "n_tokens"))}
    explicit = [abs(w - l) for w, l in zip(columns["score_chosen"], columns["score_rejected"], strict=True)]  # noqa: E741
    implicit = [
        abs(w / n - l / m)
        for w, n, l, m in zip(  # noqa: E741
            *(columns[f"{kind}_{side}"] for side in ("chosen", "rejected") for kind in ("logp", "n_tokens")),
            strict=True,
        )
    ]
    sigma_r, sigma_pi = np.std(explicit), np.std(implicit)
    scores = [r / sigma_r - ALPHA / sigma_pi * p for r, p in zip(explicit, implicit, strict=True)]
    order = np.argsort(scores)[::-1]
    data.select(order[: -(-len(scores) // 5)]).to_parquet(str(out))
    shutil.rmtree(cache, ignore_errors=True)


WAYS = {"program": program, "lists": lists}


def make(path: Path, n: int) -> None:
    """Pairs with the numbers and ids that ranking and its reader need; scores and log-probabilities are random."""
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, n, GROUP):
        m = min(GROUP, n - start)
        columns: dict[str, pa.Array] = {}
        for name in ("pair_id", "prompt_id"):
            digits = np.frombuffer(rng.bytes(12 * m).hex().encode(), "S24")
            columns[name] = pa.array(digits.astype(np.str_), pa.string())
        for side in ("chosen", "rejected"):
            tokens = rng.integers(20, 2_000, m).astype(np.int32)
            columns[f"score_{side}"] = pa.array(rng.normal(0.1, 0.03, m))
            columns[f"logp_{side}"] = pa.array(-tokens * rng.gamma(4, 0.1, m))
            columns[f"n_tokens_{side}"] = pa.array(tokens)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the files are made, and removed again")
    for hidden in ("--way", "--source", "--out"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
