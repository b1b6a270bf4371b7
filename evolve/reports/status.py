"""What a run holds: rows of the pool, who made them, and the datasets made of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evolve.datasets.folder import read_manifest
from evolve.pool.pool import Pool
from evolve.reports.drift import drift_lines, kept_drift
from prompts.display import shown


def describe(folder: Path) -> str:
    """Text for `evolve status`. Reads ids and counts, no texts; works while another process grows the run."""
    pool = Pool(folder / "pool")
    lines = [f"{folder}"]
    verdicts: Counter[str] = Counter()
    n_initial = 0
    for part in pool.prompts.scan(["parent_id", "verdict"]):
        for parent, verdict in zip(part["parent_id"].to_pylist(), part["verdict"].to_pylist(), strict=True):
            n_initial += not parent
            verdicts[verdict] += bool(parent)
    n_rewrites = verdicts.total()
    lines.append(f"  prompts    {n_initial:,} initial, {n_rewrites:,} rewrites" + _listed(verdicts))
    lines += _responses(pool)
    for reward_id in pool.reward_ids():
        lines += _rewards(pool, reward_id)
    lines += [line for one in pool.reference_ids() for line in _references(pool, one)]
    damaged = list((folder / "pool").rglob("*.damaged"))
    lines += [f"  damaged    {path} (set aside; its rows are computed again by `evolve run`)" for path in damaged]
    datasets = sorted(folder.glob("iteration-*/*/*/manifest.json"))
    for path in datasets:
        lines.append(f"  dataset    {path.parent / 'train.parquet'}: {_n_pairs(read_manifest(path.parent))}")
    lines += ["", *(f"  {line}" for line in drift)] if (drift := drift_lines(kept_drift(folder))) else []
    if not datasets:
        lines.append("  no dataset yet: `evolve run` goes on where it stopped")
    return "\n".join(lines)


def _responses(pool: Pool) -> list[str]:
    rows: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    prompts = np.concatenate([np.empty(0, "S24"), *(_ids(part["id"]) for part in pool.prompts.scan(["id"]))])
    orphans = 0
    for sampler_id in pool.sampler_ids():
        for part in pool.responses(sampler_id).scan(["prompt_id", "error"]):
            rows[sampler_id] += part["error"].null_count
            refused.update(error for error in part["error"].to_pylist() if error)
            orphans += int(np.count_nonzero(~np.isin(_ids(part["prompt_id"]), prompts)))
    lines = [
        f"  responses  {n:,} by {_name(pool.description('sampler', sampler_id).get('policy'))} ({_name(sampler_id)})"
        for sampler_id, n in rows.most_common()
    ]
    if refused:
        lines.append(f"  refused    {refused.total():,} prompts or responses{_listed(refused)}")
    if orphans:
        lines.append(f"  orphans    {orphans:,} responses whose prompt was lost: not read")
    return lines


def _ids(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), "S24")


def _rewards(pool: Pool, reward_id: str) -> list[str]:
    n, errors = 0, Counter[str]()
    for part in pool.rewards(reward_id).scan(["error"]):
        n += len(part)
        errors.update(error for error in part["error"].to_pylist() if error)
    name = _name(pool.description("reward", reward_id).get("reward"))
    return [f"  rewards    {n:,} by {name} ({reward_id}){_listed(errors)}"]


def _references(pool: Pool, reference_id: str) -> list[str]:
    n, errors = 0, Counter[str]()
    for part in pool.logprobs(reference_id).scan(["error"]):
        n += len(part)
        errors.update(error for error in part["error"].to_pylist() if error)
    name = _name(pool.description("reference", reference_id).get("reference"))
    return [f"  reference  {n:,} by {name} ({reference_id}){_listed(errors)}"]


def _listed(counts: Counter[str]) -> str:
    words = ", ".join(f"{_name(name)} {n:,}" for name, n in counts.most_common() if n)
    return f" ({words})" if words else ""


def _n_pairs(manifest: dict[str, Any]) -> str:
    try:
        return f"{manifest['rows']['train']['kept']:,} pairs"
    except (KeyError, TypeError, ValueError):
        return "its manifest.json is damaged; `evolve select` with its options writes it anew"


def _name(name: Any) -> str:
    """What a row or a setting calls itself, on one line whatever it holds."""
    return shown(str(name), one_line=True) if name else "?"
