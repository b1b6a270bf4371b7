"""How long does it take to hold 60,000 prompts against 2,000 of benchmarks, and are all planted copies found?

Prompts of words drawn by rank (Zipf), lengths log-normal. Into some of them a benchmark's prompt is planted: as it is,
re-cased, re-punctuated, and inside a longer text. Printed: seconds from texts to the shares, CPU seconds, the peak
memory of the process, planted copies found by kind, and what else was found.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import time
from collections import Counter
from itertools import accumulate

from prompts.overlap import N, index_of, overlaps

KINDS = ("exact", "re-cased", "re-punctuated", "embedded")
MARKS = (", ", "; ", " - ", ": ", "\n", " ** ", "... ")


def main() -> None:
    arguments = _arguments()
    rng = random.Random(arguments.seed)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "ei", "o", "u") for c in ("n", "r", "st", "x", "lo")]
    words = [one + other for one in words for other in words[: arguments.words // len(words)]]
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))

    def text(mean: float, least: int = 1) -> str:
        n = max(least, round(rng.lognormvariate(0, 0.6) * mean * 0.835))  # the mean of that is `mean`
        return " ".join(rng.choices(words, cum_weights=weights, k=n))

    benchmark = [text(arguments.benchmark_words, N) for _ in range(arguments.benchmark)]
    prompts = [text(arguments.prompt_words) for _ in range(arguments.prompts)]
    places = rng.sample(range(len(prompts)), min(arguments.planted, len(prompts)))
    planted = {place: (KINDS[i % len(KINDS)], rng.randrange(len(benchmark))) for i, place in enumerate(places)}
    for place, (kind, row) in planted.items():
        prompts[place] = changed(kind, benchmark[row], prompts[place], rng)
    started, cpu = time.perf_counter(), time.process_time()
    index = index_of(benchmark)
    found = overlaps(([one] for one in prompts), index)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    repeated = set(zip(found.prompts[found.repeats].tolist(), found.rows[found.repeats].tolist(), strict=True))
    wanted = {(place, row) for place, (_, row) in planted.items()}
    n_words = sum(len(one.split()) for one in prompts)
    print(f"{len(prompts):,} prompts, {n_words:,} words, against {len(benchmark):,}, {len(index.digests):,} {N}-grams")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.1f} s, {cpu:.1f} CPU s, peak {peak:,.0f} MiB, load {os.getloadavg()[0]:.1f}")
    of_kind = Counter(kind for place, (kind, row) in planted.items() if (place, row) in repeated)
    for kind, n in sorted(Counter(kind for kind, _ in planted.values()).items()):
        print(f"  {kind:<14} {of_kind[kind]} of {n} found")
    sharing = len(set(found.prompts.tolist()))
    print(f"  found beside them: {len(repeated - wanted)}; prompts that share an {N}-gram: {sharing:,}")


def changed(kind: str, said: str, around: str, rng: random.Random) -> str:
    """A benchmark's prompt as a copy of this kind."""
    if kind == "re-cased":
        return "".join(rng.choice((char.upper(), char)) for char in said)
    if kind == "re-punctuated":
        return "".join(rng.choice(MARKS) if char == " " else char for char in said) + "?"
    if kind == "embedded":
        return f"{around}\n\n{said}\n\n{around}"
    return said


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=60_000)
    parser.add_argument("--prompt-words", type=float, default=80)
    parser.add_argument("--benchmark", type=int, default=2_000)
    parser.add_argument("--benchmark-words", type=float, default=50)
    parser.add_argument("--planted", type=int, default=800)
    parser.add_argument("--words", type=int, default=20_000, help="Size of the vocabulary.")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
