"""What `evolve run` prints at its end: where the dataset is, what is in it, a look at it, and what to try next."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from evolve.api import Dataset
from evolve.datasets.diversity import diversity_told
from evolve.pool.lookup import Lookup
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.display import shown
from prompts.reasons import REASONS

N_REWRITES = 4
WIDTH = 240


def summary(run: Run, outcome: Outcome, dataset: Dataset) -> str:
    """The text for stdout."""
    folder, manifest = dataset.folder, dataset.manifest
    prompts = Lookup(run.pool.prompts, "id")
    blocks = [
        _counts(folder, manifest),
        _rewrites(outcome, prompts),
        _pair(run, outcome, prompts),
        _next(run, folder, manifest),
    ]
    return "\n\n".join(block for block in blocks if block)


def side_by_side(datasets: list[Dataset]) -> str:
    """Several selections from the same rows, a line each: what was selected, and its mean M_AP, M_r and M_pi."""
    lines = [f"{'selected by':<24} {'pairs':>7} {'alpha':>6} {'M_AP':>9} {'M_r':>9} {'M_pi':>9}  dataset"]
    for one in datasets:
        ranking = one.manifest["ranking"]
        means = {name: mean["after"] for name, mean in ranking["metric_means"].items()}
        hidden = None if means["implicit"] is None else -means["implicit"]
        numbers = " ".join("        -" if x is None else f"{x:9.4g}" for x in (means["map"], means["eva"], hidden))
        alpha = ranking["alpha"] if isinstance(ranking["alpha"], str) else f"{ranking['alpha']:g}"
        lines.append(f"{ranking['metric']:<24} {ranking['selected']:>7,} {alpha:>6} {numbers}  {one.folder}")
    return "\n".join(lines)


def _counts(folder: Path, manifest: dict[str, Any]) -> str:
    rows, ranking, calls = manifest["rows"], manifest["ranking"], manifest["model_calls"]
    lines = [f"{folder / 'train.parquet'}: {rows['train']['kept']:,} preference pairs"]
    names = {
        "prompts": "X    prompts",
        "gen_dataset_initial": "D    pairs of X",
        "evol_instruct": "X'   rewrites",
        "gen_dataset_evolved": "D'   pairs of X'",
        "selection": f"D'_k by {ranking['metric']}",
    }
    if manifest["recipe"]["algorithm"] == "select-then-evolve":
        names = {
            stage: names[stage]
            for stage in ("prompts", "gen_dataset_initial", "selection", "evol_instruct", "gen_dataset_evolved")
        }
        names["selection"] = f"D_k  by {ranking['metric']}"
    if manifest["recipe"]["algorithm"] == "select-only":
        names = {stage: names[stage] for stage in ("prompts", "gen_dataset_initial")}
        names |= {"selection": f"best by {ranking['metric']}"}
    for stage, name in names.items():
        book = rows[stage]
        dropped = ", ".join(
            f"{reason} {n:,}" for reason, n in sorted(book["dropped"].items(), key=lambda item: -item[1])
        )
        lines.append(f"  {name:<18} {book['kept']:>7,} of {book['in']:,}" + (f"   ({dropped})" if dropped else ""))
    if ensemble := manifest.get("ensemble"):
        lines.append(f"  flipped            {ensemble['flipped']:>7,} pairs that a reward model orders the other way")
    if errors := manifest["reward_errors"]:
        told = ", ".join(f"{reason} {n:,}" for reason, n in sorted(errors.items(), key=lambda item: -item[1]))
        lines.append(f"  without a score    {sum(errors.values()):>7,} responses   ({told})")
    if owed := manifest["owed"]:
        told = ", ".join(f"{reason} {n:,}" for reason, n in owed.items())
        lines.append(f"  owed: {told}. A machine's fault; the same command tries again" + _advice(owed))
    if diversity := manifest.get("diversity"):
        lines.append(f"  {diversity_told(diversity['train'])}")
    seconds = ", ".join(
        f"{name} {stage['seconds']:.1f} s" for name, stage in manifest["stages"].items() if stage["seconds"] >= 0.05
    )
    lines.append(
        f"  model calls now: {calls['rewrite']:,} rewrites, {calls['sample']:,} responses, {calls['reward']:,} rewards"
        + (f"; {seconds}" if seconds else "")
    )
    return "\n".join(lines)


def _advice(owed: dict[str, int]) -> str:
    advice = [REASONS[reason].advice for reason in owed if reason in REASONS and REASONS[reason].advice]
    return f" ({'; '.join(advice)})." if advice else "."


def _rewrites(outcome: Outcome, prompts: Lookup) -> str:
    """One rewrite of each strategy, spread over X'."""
    evolved = outcome.evolved
    shown: dict[str, int] = {}
    for i in range(0, len(evolved.ids), max(1, len(evolved.ids) // 50)):
        shown.setdefault(evolved.strategies[i], i)
    picked = list(shown.values())[:N_REWRITES]
    before = prompts.fetch([evolved.parent_ids[i] for i in picked], ["messages"])["messages"].to_pylist()
    after = prompts.fetch([evolved.ids[i] for i in picked], ["messages"])["messages"].to_pylist()
    lines = [
        f"  [{evolved.strategies[i]}]\n    {_short(old[-1]['content'])}\n -> {_short(new[-1]['content'])}"
        for i, old, new in zip(picked, before, after, strict=True)
    ]
    return "Rewrites:\n" + "\n".join(lines) if lines else ""


def _pair(run: Run, outcome: Outcome, prompts: Lookup) -> str:
    if not len(outcome.selected):
        return ""
    first = outcome.selected.take([0])
    (prompt,) = prompts.fetch(first.column("prompt_id"), ["messages"])["messages"].to_pylist()
    good, bad = run.texts.fetch(first.column("chosen_id") + first.column("rejected_id"), ["text"])["text"].to_pylist()
    return (
        "The pair selected first:\n"
        f"    prompt    {_short(prompt[-1]['content'])}\n"
        f"    chosen    {_short(good)}   (reward {first.rows['score_chosen'][0]:.4g})\n"
        f"    rejected  {_short(bad)}   (reward {first.rows['score_rejected'][0]:.4g})"
    )


def _next(run: Run, folder: Path, manifest: dict[str, Any]) -> str:
    other = "eva" if manifest["ranking"]["metric"] != "eva" else "map"
    command, at = shlex.quote(called()), shlex.quote(_as_argument(run.folder))
    return (
        "Next:\n"
        f"  the same rows by another metric, in seconds   {command} select {at} --metric {other}\n"
        f"  what the pool holds                           {command} status {at}\n"
        f"  every count and setting                       {folder / 'manifest.json'}"
    )


def _as_argument(folder: Path) -> str:
    """A run's folder as a path that the command takes for one: with a slash, and no option by its look."""
    text = str(folder)
    return text if "/" in text and not text.startswith(("-", "~")) else f"./{text}"


def called() -> str:
    """How this program was called, as one would type it again: `evolve`, or .venv/bin/evolve below this folder."""
    called = Path(sys.argv[0])
    if called.name != "evolve" or str(called.parent) in os.environ.get("PATH", "").split(os.pathsep):
        return "evolve"
    return os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)


def _short(text: str) -> str:
    line = shown(" ".join(text.split()), one_line=True)
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
