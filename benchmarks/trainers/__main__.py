"""Do trainers see the tokens that the policy's template makes? A run's dataset, exported, through their own loaders.

`make check-trainers`, or `python -m benchmarks.trainers llamafactory openrlhf swift`. For each trainer: an environment
in .trainers/ from the pins in requirements/, the dataset and 14 edge rows by `evolve export`, the trainer's own loading
code in a process of that environment, and every row's token ids and trained tokens against the policy's chat template.
Exit status 1 unless all rows of the run are identical in every trainer; edge rows are counted, and told.

What is done is kept: after a kill the same command goes on. Results are kept for the same pins, loader and rows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.trainers.checking import Check, Result
from benchmarks.trainers.comparing import SIDES
from benchmarks.trainers.environments import ROOT, Failed, run_logged, version
from benchmarks.trainers.trainers import DEFAULT, TRAINERS


def main() -> None:
    arguments = _arguments()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            results = checked(arguments, folder)
    except Timeout as busy:
        raise SystemExit(f"Another check is at work in {folder}: wait for it, or give another --folder.") from busy
    told = table(results)
    (folder / "table.md").write_text(told, encoding="utf-8")
    print(told, end="")
    sys.exit(not all(result.passed for result in results))


def checked(arguments: argparse.Namespace, folder: Path) -> list[Result]:
    """Each trainer in turn; one that fails does not stop the others."""
    run = arguments.run.resolve() if arguments.run else _default_run(folder)
    check = Check(run, arguments.policy.resolve(), folder)
    print(f"{len(check.rows['run'])} rows of {run}, {len(check.rows['edges'])} edge rows", file=sys.stderr)
    results: list[Result] = []
    for name in dict.fromkeys(arguments.trainers or DEFAULT):
        print(f"{TRAINERS[name].title} {version(TRAINERS[name])} ...", file=sys.stderr)
        try:
            results.append(check.result(TRAINERS[name]))
        except Failed as failed:
            results.append(
                Result(TRAINERS[name].title, version(TRAINERS[name]), TRAINERS[name].form, failed=str(failed))
            )
    return results


def table(results: list[Result]) -> str:
    """Markdown: a line a trainer, then what was found wrong, in words."""
    lines = [
        "| trainer, version | form | rows | chosen identical | rejected identical | edge rows identical | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for one in results:
        start = f"| {one.title} {one.version} | {one.form} "
        if one.run is None:
            lines.append(start + "| - | - | - | - | - |")
            notes.append(f"- {one.title}: failed. {one.failed}")
            continue
        edges = f"{one.edges.identical}/{one.edges.rows}" if one.edges else "-"
        seconds = f"{one.seconds:.0f}" if one.seconds else "-"
        chosen, rejected = map(one.run.n_identical, SIDES)
        lines.append(start + f"| {one.run.rows} | {chosen} | {rejected} | {edges} | {seconds} |")
        notes += [f"- {one.title}: {fault}" for fault in one.told]
    return "\n".join(lines + ([""] + notes if notes else [])) + "\n"


def _default_run(folder: Path) -> Path:
    """The default recipe's first iteration, made (or finished) in the folder."""
    run = folder / "run"
    print(f"The default run, in {run} ...", file=sys.stderr)
    command = [sys.executable, "-m", "evolve", "run", "--iter", "1", "--run", str(run)]
    try:
        run_logged(command, folder / "run.log", PYTHONPATH=str(ROOT))
    except Failed as failed:
        raise SystemExit(f"The run to check with was not made: {failed}") from failed
    return run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainers", nargs="*", help=f"of {' '.join(TRAINERS)}; default: {' '.join(DEFAULT)}")
    parser.add_argument("--run", type=Path, help="a run's folder; default: one of the default recipe, made in --folder")
    parser.add_argument("--policy", type=Path, default=ROOT / "recipes/embedded/policy", help="the policy of that run")
    parser.add_argument("--folder", type=Path, default=ROOT / ".trainers", help="environments, exports and results")
    arguments = parser.parse_args()
    if unknown := set(arguments.trainers) - set(TRAINERS):
        parser.error(f"no trainer {', '.join(sorted(unknown))}: expected some of {', '.join(TRAINERS)}")
    return arguments


if __name__ == "__main__":
    main()
