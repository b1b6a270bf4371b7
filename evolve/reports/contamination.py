"""What a run's prompts share with benchmarks: counts for X, X' and the training set, and the worst examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.run import Run
from evolve.sources.benchmarks import KNOWN, benchmark_prompts
from evolve.views.contamination import user_turns
from evolve.views.outcome import Outcome
from prompts.display import shown
from prompts.errors import UserError
from prompts.overlap import THRESHOLD, Index, N, Overlaps, index_of, overlaps, shared_words

WIDTH = 160  # characters of a text in the table


@dataclass(frozen=True)
class Benchmark:
    """A benchmark with its texts: the row of each prompt, and what it says."""

    source: str
    rows: list[int]
    texts: list[str]
    index: Index


def named_benchmarks(against: str | None) -> tuple[list[Benchmark], dict[str, str]]:
    """The benchmarks that `against` names with commas; for None the known ones, and why those are absent that can't be
    had. Raises `UserError` for a named one that can't be read, and where there is none.
    """
    if against is not None:
        sources = list(dict.fromkeys(one.strip() for one in against.split(",") if one.strip()))
        if not sources:
            raise UserError("--against names no benchmark. Expected files, folders or Hub datasets, with commas.")
        return [_opened(source) for source in sources], {}
    found, absent = [], {}
    for name in KNOWN:
        try:
            found.append(_opened(name))
        except UserError as error:
            absent[name] = str(error)
    if not found:
        told = "; ".join(f"{name} ({KNOWN[name]})" for name in absent)
        raise UserError(
            f"None of the known benchmarks can be had: {told}. {next(iter(absent.values()))} Or name files of their "
            "prompts: --against FILE[,FILE...]."
        )
    return found, absent


def _opened(source: str) -> Benchmark:
    rows, texts = zip(*benchmark_prompts(source), strict=True)
    return Benchmark(source, list(rows), list(texts), index_of(texts))


def check(
    run: Run, outcome: Outcome, benchmarks: Sequence[Benchmark], absent: dict[str, str], worst: int
) -> dict[str, Any]:
    """What JSON takes: by benchmark and set of prompts how many share an N-gram with a benchmark's prompt, how many
    repeat one, which share of the set that is, and how many of the benchmark's prompts are repeated; and the `worst`
    examples of all, the largest shares first.
    """
    lookup = Lookup(run.pool.prompts, "id")
    train = list(dict.fromkeys(outcome.train.column("prompt_id")))
    sets = {"X": run.prompts, "X'": outcome.evolved.ids, "train": train}
    every = list(dict.fromkeys(one for ids in sets.values() for one in ids))
    place = {prompt_id: i for i, prompt_id in enumerate(every)}
    members = {name: _mask([place[one] for one in ids], len(every)) for name, ids in sets.items()}
    told, examples = [], []
    for benchmark in benchmarks:
        found = overlaps(user_turns(lookup, every), benchmark.index)
        told.append(
            {
                "benchmark": benchmark.source,
                "prompts": len(benchmark.texts),
                "sets": {name: _counts(found, mask) for name, mask in members.items()},
            }
        )
        examples += _worst(found, benchmark, every, worst)
    examples.sort(key=lambda one: (-one["share"], one["benchmark"], one["prompt_id"]))
    for one in examples[:worst]:
        one["in"] = [name for name, mask in members.items() if mask[place[one["prompt_id"]]]]
        _with_texts(one, next(b for b in benchmarks if b.source == one["benchmark"]), lookup)
    return {
        "run": str(run.folder),
        "iteration": run.iteration,
        "ngram": N,
        "threshold": THRESHOLD,
        "benchmarks": told,
        "absent": absent,
        "worst": examples[:worst],
    }


def _mask(places: list[int], n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[places] = True
    return mask


def _counts(found: Overlaps, mask: np.ndarray) -> dict[str, Any]:
    ours = mask[found.prompts]
    repeats = ours & found.repeats
    n, n_repeat = int(mask.sum()), len(np.unique(found.prompts[repeats]))
    return {
        "prompts": n,
        "sharing": len(np.unique(found.prompts[ours])),
        "repeating": n_repeat,
        "share_repeating": n_repeat / n if n else 0.0,
        "benchmark_prompts_repeated": len(np.unique(found.rows[repeats])),
    }


def _worst(found: Overlaps, benchmark: Benchmark, prompt_ids: list[str], n: int) -> list[dict[str, Any]]:
    """Of each prompt its largest share, the n largest of these; ties by id."""
    order = np.lexsort((found.rows, -found.shares, found.prompts))
    first = order[np.unique(found.prompts[order], return_index=True)[1]]
    ranked = sorted(first.tolist(), key=lambda i: (-found.shares[i], prompt_ids[found.prompts[i]]))
    return [
        {
            "benchmark": benchmark.source,
            "row": benchmark.rows[found.rows[i]],
            "share": round(float(found.shares[i]), 4),
            "prompt_id": prompt_ids[found.prompts[i]],
            "number": int(found.rows[i]),
        }
        for i in ranked[:n]
    ]


def _with_texts(example: dict[str, Any], benchmark: Benchmark, lookup: Lookup) -> None:
    """Add what both say, and the longest stretch of words that both have."""
    theirs = benchmark.texts[example.pop("number")]
    (turns,) = user_turns(lookup, [example["prompt_id"]])
    example |= {"prompt": turns[-1], "benchmark_prompt": theirs, "shared_words": shared_words(theirs, turns)}


def tables(found: dict[str, Any]) -> str:
    """The same for a terminal."""
    lines = [
        f"Prompts that share an {found['ngram']}-gram of words with a benchmark's prompt; that repeat it: "
        f"{found['threshold']:.0%} or more of its words lie in such.",
        "  benchmark                        prompts  set     prompts  sharing repeating   share",
    ]
    for one in found["benchmarks"]:
        name = shown(one["benchmark"], one_line=True)
        for i, (which, counts) in enumerate(one["sets"].items()):
            head = f"{_end(name, 28):<28} {one['prompts']:>11,}" if i == 0 else " " * 40
            lines.append(
                f"  {head}  {which:<6} {counts['prompts']:>8,} {counts['sharing']:>8,} {counts['repeating']:>9,} "
                f"{counts['share_repeating']:>7.2%}"
            )
    for name, why in found["absent"].items():
        lines.append(f"  {name:<28} not present: {_start(why)}")
    for one in found["worst"]:
        lines += [
            "",
            f"{one['share']:.0%} of row {one['row']:,} of {shown(one['benchmark'], one_line=True)}, in prompt "
            f"{one['prompt_id']} ({', '.join(one['in'])})",
            f"    benchmark  {_start(one['benchmark_prompt'])}",
            f"    prompt     {_start(one['prompt'])}",
            f"    both       {_start(one['shared_words'])}",
        ]
    return "\n".join(lines)


def _start(text: str) -> str:
    line = shown(" ".join(text[: 8 * WIDTH].split()), one_line=True)
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _end(text: str, width: int) -> str:
    return text if len(text) <= width else "..." + text[3 - width :]
