"""What a run holds: rows of the pool, who made them, and the datasets made of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from evolve.pool import Pool


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
    lines += _by_maker(pool, "responses", "sampler_id", "sampler")
    lines += _by_maker(pool, "rewards", "reward_id", "reward")
    damaged = list((folder / "pool").glob("*/*.damaged"))
    lines += [f"  damaged    {path} (set aside; its rows are computed again by `evolve run`)" for path in damaged]
    datasets = sorted(folder.glob("iteration-*/*/*/manifest.json"))
    for path in datasets:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"  dataset    {path.parent / 'train.parquet'}: {manifest['rows']['train']['kept']:,} pairs")
    if not datasets:
        lines.append("  no dataset yet: `evolve run` goes on where it stopped")
    return "\n".join(lines)


def _by_maker(pool: Pool, table: str, column: str, kind: str) -> list[str]:
    rows: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for part in pool.tables[table].scan([column, "error"]):
        rows.update(part[column].to_pylist())
        errors.update(error for error in part["error"].to_pylist() if error)
    lines = []
    for identity, n in rows.most_common():
        about = pool.description(kind, identity)
        lines.append(f"  {table:<10} {n:,} by {about.get('policy') or about.get('reward') or '?'} ({identity})")
    return lines + ([f"  {'':<10} refused:{_listed(errors)}"] if errors else [])


def _listed(counts: Counter[str]) -> str:
    words = ", ".join(f"{name} {n:,}" for name, n in counts.most_common() if n)
    return f" ({words})" if words else ""
