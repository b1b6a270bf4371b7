"""Scores for a file of rows: one line out for each line in, in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import rewards
from evolve.pool.output import output_file, refuse_foreign, refuse_own
from evolve.recipe.choices import RewardDtype
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from generation.conversation import encodable
from prompts.errors import UserError
from rewards import Group, score_lines

N_TRUSTED = 64  # rows that the trust check draws from
N_LOOKED_AT = 100  # lines, one of which has to be an object, else the file is no JSON lines
ADDED = ("score", "rewards", "gating", "error")  # what a scoring adds to a line
STARTS = {  # of files that are something else
    b"PAR1": "a parquet file",
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"ARROW1": "an Arrow file",
    b"\xff\xfe\x00\x00": "text in UTF-32",
    b"\x00\x00\xfe\xff": "text in UTF-32",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"{\x00\x00\x00": "text in UTF-32",
    b"\x00\x00\x00{": "text in UTF-32",
    b"{\x00": "text in UTF-16",
    b"\x00{": "text in UTF-16",
    b"version https://git-lfs": "a pointer of git-lfs, not the file itself",
}


def score_file(
    source: Path,
    out: Path,
    model: str,
    *,
    batch_tokens: int | None,
    dtype: RewardDtype,
    compat: bool,
    tally: Tally | None = None,
    force: bool = False,
) -> str:
    """Score every line of `source` ({prompt: text or messages, response}) into `out`; returns a line that sums it up,
    and counts in `tally`.

    A line that can't be read or scored has an `error` in its place; what an earlier scoring has added to a line is
    replaced. `out` appears when it is whole. What is there already is written over only where it is an earlier scoring
    of `source`, or with `force`. Raises `UserError` before any work for a file that is no JSON lines.
    """
    check_lines(source)
    refuse_own(out)
    if out.exists() and out.samefile(source):
        raise UserError(f"--out {out} is the file that is read. Give another name.")
    refuse_foreign(out, lambda: _is_scoring(out, source), force=force)
    loaded = rewards.load(model, dtype=dtype, batch_tokens=batch_tokens, compat=compat)
    rewards.trust_check(loaded, _first_groups(source))
    tally = tally or Tally()
    with _opened(source) as lines:
        tally.total = sum(1 for _ in lines)
    with output_file(out) as file, progress(tally, "lines"):
        for row in score_lines(loaded, _lines(source)):
            file.write((json.dumps(row, ensure_ascii=True, allow_nan=False) + "\n").encode())
            tally.passed += 1
            tally.worked += 1
            tally.scored += "error" not in row
            if "error" in row:
                tally.dropped[row["error"]] += 1
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in tally.dropped.most_common())
    return f"{out}: {tally.passed:,} lines, {tally.scored:,} scored" + (f" (errors: {reasons})" if reasons else "")


def _is_scoring(out: Path, source: Path) -> bool:
    """Whether `out` has the lines of `source`, each with what a scoring adds."""
    with _opened(out) as scored:
        found = (json.loads(line) for line in scored)
        try:
            return all(
                isinstance(there, dict)
                and not there.keys().isdisjoint(("score", "error"))
                and without_scores(there) == (line if isinstance(line, dict) else {"line": line})
                for there, line in zip_longest(found, _lines(source))
            )
        except (ValueError, RecursionError):
            return False


def without_scores(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what an earlier scoring has added."""
    return {name: item for name, item in row.items() if name not in ADDED}


def check_lines(source: Path) -> None:
    """Raise `UserError`, with the name of what was found, if `source` is no file of JSON lines that can be read."""
    expected = 'Expected a file of lines such as {"prompt": "...", "response": "..."}.'
    try:
        if source.is_dir():
            raise UserError(f"{source} is a folder. {expected}")
        if not source.exists():
            raise UserError(f"There is no file {source}. {expected}")
        if not source.is_file():
            raise UserError(f"{source} is no regular file, and it is read more than once. {expected}")
        with source.open("rb") as file:
            start = file.read(64)
        found = next((name for magic, name in STARTS.items() if start.startswith(magic)), "") or _other(source)
    except OSError as error:
        raise UserError(f"{source} can't be read ({error.strerror}). {expected}") from error
    if found:
        raise UserError(f"{source} is {found}. {expected}")


def _other(source: Path) -> str:
    """What a text is, if none of its first lines is an object on a line of its own."""
    looked: list[str] = []
    with _opened(source) as lines:
        for line in lines:
            if not line.strip():
                continue
            if isinstance(_parsed(line), dict):
                return ""
            looked.append(line.strip())
            if len(looked) == N_LOOKED_AT:
                break
    if not looked:
        return "empty"
    first = looked[0]
    if first.startswith("[") or (first == "{" and len(looked) > 1):
        return "one JSON value over the whole file, not a line for each object"
    if "\0" in first:
        return "a binary file"
    if "\r" in first:
        return "text whose lines end in a carriage return alone: convert them to line feeds (tr '\\r' '\\n')"
    if source.suffix.lower() in (".csv", ".tsv"):
        return f"a {source.suffix[1:]} file"
    return f"text without one JSON object in its first {len(looked):,} lines" if len(looked) > 1 else "no JSON object"


def _opened(source: Path) -> Any:
    """The file as text, a byte order mark left out. Bytes that are not UTF-8 become halves of surrogate pairs."""
    return source.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n")


def _lines(source: Path) -> Iterator[Any]:
    """The parsed lines without what an earlier scoring has added; a line that is no JSON is yielded as text, which is
    an error in its place.
    """
    with _opened(source) as file:
        for line in file:
            value = _parsed(line)
            if isinstance(value, dict):
                value = without_scores(value)
            yield value


def _parsed(line: str) -> Any:
    """The JSON of a line, or else the line: what is not UTF-8, NaN and what is nested too deeply to be written again is
    no JSON.
    """
    if not encodable(line):
        return line
    try:
        value = json.loads(line)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return line
    return value


def _first_groups(source: Path) -> list[Group]:
    groups = []
    for row in _lines(source):
        if isinstance(row, dict) and isinstance(row.get("prompt"), str) and isinstance(row.get("response"), str):
            groups.append(Group([{"role": "user", "content": row["prompt"]}], [row["response"]]))
        if len(groups) == N_TRUSTED:
            break
    return groups
