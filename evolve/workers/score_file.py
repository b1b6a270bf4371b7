"""Scores for a file of rows: one line out for each line in, in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rewards
from evolve.pool.files import whole_file
from evolve.recipe.choices import RewardDtype
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from prompts.errors import UserError
from rewards import Group, score_lines

N_TRUSTED = 64  # rows that the trust check draws from


def score_file(
    source: Path, out: Path, model: str, *, batch_tokens: int | None, dtype: RewardDtype, compat: bool
) -> str:
    """Score every line of `source` ({prompt: text or messages, response}) into `out`; returns a line that sums it up.

    A line that can't be read or scored has an `error` in its place. `out` appears when it is whole.
    """
    if out.exists() and out.samefile(source):
        raise UserError(f"--out {out} is the file that is read. Give another name.")
    loaded = rewards.load(model, dtype=dtype, batch_tokens=batch_tokens, compat=compat)
    rewards.trust_check(loaded, _first_groups(source))
    tally = Tally()
    with source.open(encoding="utf-8", errors="surrogateescape") as lines:
        tally.total = sum(1 for _ in lines)
    with whole_file(out) as file, progress(tally, "lines"):
        for row in score_lines(loaded, _lines(source)):
            file.write((json.dumps(row, ensure_ascii=True) + "\n").encode())
            tally.passed += 1
            tally.worked += 1
            tally.scored += "error" not in row
            if "error" in row:
                tally.dropped[row["error"]] += 1
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in tally.dropped.most_common())
    return f"{out}: {tally.passed:,} lines, {tally.scored:,} scored" + (f" (errors: {reasons})" if reasons else "")


def _lines(source: Path) -> Iterator[Any]:
    """The parsed lines; a line that is no JSON is yielded as text, which is an error in its place."""
    with source.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                yield line


def _first_groups(source: Path) -> list[Group]:
    groups = []
    for row in _lines(source):
        if isinstance(row, dict) and isinstance(row.get("prompt"), str) and isinstance(row.get("response"), str):
            groups.append(Group([{"role": "user", "content": row["prompt"]}], [row["response"]]))
        if len(groups) == N_TRUSTED:
            break
    return groups
