"""What a run holds: rows of the pool, who made them, and the datasets made of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from evolve.pool.pool import Pool


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
    damaged = list((folder / "pool").rglob("*.damaged"))
    lines += [f"  damaged    {path} (set aside; its rows are computed again by `evolve run`)" for path in damaged]
    datasets = sorted(folder.glob("iteration-*/*/*/manifest.json"))
    for path in datasets:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"  dataset    {path.parent / 'train.parquet'}: {manifest['rows']['train']['kept']:,} pairs")
    if not datasets:
        lines.append("  no dataset yet: `evolve run` goes on where it stopped")
    return "\n".join(lines)


def _responses(pool: Pool) -> list[str]:
    rows: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for part in pool.responses.scan(["sampler_id", "error"]):
        rows.update(part.filter(part["error"].is_null())["sampler_id"].to_pylist())
        refused.update(error for error in part["error"].to_pylist() if error)
    lines = [
        f"  responses  {n:,} by {pool.description('sampler', sampler_id).get('policy', '?')} ({sampler_id})"
        for sampler_id, n in rows.most_common()
    ]
    return lines + ([f"  refused    {refused.total():,} prompts{_listed(refused)}"] if refused else [])


def _rewards(pool: Pool, reward_id: str) -> list[str]:
    n, errors = 0, Counter[str]()
    for part in pool.rewards(reward_id).scan(["error"]):
        n += len(part)
        errors.update(error for error in part["error"].to_pylist() if error)
    name = pool.description("reward", reward_id).get("reward", "?")
    return [f"  rewards    {n:,} by {name} ({reward_id}){_listed(errors)}"]


def _listed(counts: Counter[str]) -> str:
    words = ", ".join(f"{name} {n:,}" for name, n in counts.most_common() if n)
    return f" ({words})" if words else ""
