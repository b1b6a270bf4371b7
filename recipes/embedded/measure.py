"""Measure the embedded models on prompts held out from training: `python recipes/embedded/measure.py`.

Rewrites held-out prompts by the five templates, samples 5 responses to every prompt and kept rewrite (temperature 0.8,
top-p 0.95), scores them with the reward model and holds all of it against the world's checkers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from sampling import Sample, Sampler  # noqa: E402
from seeds import load_seeds  # noqa: E402
from world.instruction import Messages, draw_instruction, is_held_out, read  # noqa: E402
from world.judge import judge  # noqa: E402
from world.rewriting import ALL_STRATEGIES, request  # noqa: E402

from evolve.filters import KEPT, clean, verdict  # noqa: E402
from prompts import Prompt, duplicate_key, load_templates  # noqa: E402
from rewards import Group, Score, load  # noqa: E402

BARS = {
    "rewrites kept": 0.6,
    "responses that end": 0.9,
    "prompts whose 5 samples differ": 0.9,
    "reward agrees with checkers": 0.8,
}


def share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


def rewrite(sampler: Sampler, prompts: list[Messages]) -> tuple[list[Prompt], dict[str, Any]]:
    """Kept rewrites, and the counts of verdicts."""
    templates = load_templates(HERE / "templates")
    jobs = [(Prompt(list(p)), s) for p in prompts for s in ALL_STRATEGIES]  # type: ignore[arg-type]
    samples = sampler.sample([request(s, p.messages) for p, s in jobs], 1, seed=7)  # type: ignore[arg-type]
    kept, reasons, by_strategy, seen = [], Counter(), Counter(), set()
    readable = []
    for (parent, strategy), (reply,) in zip(jobs, samples, strict=True):
        text = clean(reply.text, parent)
        reason = verdict(parent, text, templates[strategy], "stop" if reply.ended else "length")
        key = (duplicate_key(text), len(parent.messages) > 1 and parent.id)
        reason = "duplicate" if reason == KEPT and key in seen else reason
        seen.add(key)
        reasons[reason] += 1
        by_strategy[strategy] += reason == KEPT
        if reason == KEPT:
            kept.append(parent.with_instruction(text, strategy))
            readable.append(read(kept[-1].messages) is not None)  # type: ignore[arg-type]
    return kept, {
        "rewrites kept": reasons[KEPT] / len(jobs),
        "verdicts": dict(reasons),
        "kept that the world can read": share(readable),
        "kept by strategy": {s: by_strategy[s] / len(prompts) for s in ALL_STRATEGIES},
    }


def correlation(pairs: list[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Pearson's, over all prompts and objectives, of what each weight is above its mean over the prompts."""
    given, wanted = (np.array(side) for side in zip(*pairs, strict=True))
    return float(np.corrcoef((given - given.mean(0)).ravel(), (wanted - wanted.mean(0)).ravel())[0, 1])


def judged(prompts: list[Messages], samples: list[list[Sample]], scored: list[list[Score]]) -> dict[str, Any]:
    """Agreement of the reward with the checkers over pairs of responses to one prompt; chosen against rejected."""
    agree, clear, chosen, rejected, weights, by_family, right = [], [], [], [], [], {}, {}
    scores = [[s.score for s in group] for group in scored]
    for messages, answers, score, group in zip(prompts, samples, scores, scored, strict=True):
        verdicts = [judge(messages, a.text) for a in answers]
        if any(v is None for v in verdicts):
            continue
        quality = [v.quality for v in verdicts if v]
        right.setdefault(verdicts[0].family, []).extend(v.qualities[0] == 1 for v in verdicts if v)  # type: ignore[union-attr]
        weights.append((group[0].weights, verdicts[0].weights))  # type: ignore[union-attr]
        best, worst = score.index(max(score)), score.index(min(score))
        chosen.append(quality[best])
        rejected.append(quality[worst])
        for i, j in itertools.combinations(range(len(quality)), 2):
            if abs(quality[i] - quality[j]) > 1e-6:
                hit = (quality[i] > quality[j]) == (score[i] > score[j])
                agree.append(hit)
                by_family.setdefault(verdicts[0].family, []).append(hit)  # type: ignore[union-attr]
                if abs(quality[i] - quality[j]) >= 0.1:
                    clear.append(hit)
    flat = [s for group in scores for s in group]
    return {
        "reward agrees with checkers": share(agree),
        "agrees where qualities differ by 0.1": share(clear),
        "pairs": len(agree),
        "mean quality of chosen": sum(chosen) / len(chosen),
        "mean quality of rejected": sum(rejected) / len(rejected),
        "correlation of the weights with the world's": correlation(weights),
        "tied scores": 1 - len(set(flat)) / len(flat),
        "agreement by family": {f: round(share(h), 2) for f, h in sorted(by_family.items())},
        "responses wholly correct by family": {f: round(share(r), 2) for f, r in sorted(right.items())},
    }


def measure(n_more: int, policy: Path, reward: Path) -> dict[str, Any]:
    rng = Random("measure")
    prompts = load_seeds(HERE / "prompts.jsonl") + [draw_instruction(rng, True).messages() for _ in range(n_more)]
    assert all((asked := read(p)) and is_held_out(asked.core, asked.values) for p in prompts)
    began = time.monotonic()
    sampler = Sampler(policy)
    kept, figures = rewrite(sampler, prompts)
    asked = prompts + [list(k.messages) for k in kept]
    samples = sampler.sample(asked, 5, seed=13)
    flat = [s for group in samples for s in group]
    figures |= {
        "prompts": len(prompts),
        "responses": len(flat),
        "responses that end": share([s.ended for s in flat]),
        "prompts whose 5 samples differ": share([len({s.text for s in g}) == 5 for g in samples]),
        "prompts with 2 or more different samples": share([len({s.text for s in g}) > 1 for g in samples]),
        "tokens a response": sum(s.n_tokens for s in flat) / len(flat),
        "longest": max(s.n_tokens for s in flat),
        "seconds of sampling": time.monotonic() - began,
    }
    groups = [Group(list(p), [s.text for s in g]) for p, g in zip(asked, samples, strict=True)]  # type: ignore[arg-type]
    scored = load(str(reward)).score(groups)
    return figures | judged(asked, samples, scored) | {"examples": examples(kept, asked, samples, scored)}


def examples(
    kept: list[Prompt], asked: list[Messages], samples: list[list[Sample]], scored: list[list[Score]]
) -> list[str]:
    rng = Random("show")
    lines = [f"{k.strategy}: {k.instruction}" for k in rng.sample(kept, min(10, len(kept)))]
    for i in rng.sample(range(len(asked)), 8):
        order = sorted(range(5), key=lambda j: scored[i][j].score)
        lines.append(
            f"{asked[i][-1]['content']}\n  + {samples[i][order[-1]].text!r}\n  - {samples[i][order[0]].text!r}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=int, default=100, help="held-out prompts beside the shipped ones")
    parser.add_argument("--policy", type=Path, default=HERE / "policy")
    parser.add_argument("--reward", type=Path, default=HERE / "reward")
    args = parser.parse_args()
    figures = measure(args.more, args.policy, args.reward)
    print("\n".join(figures.pop("examples")))
    print(json.dumps(figures, indent=2))
    for name, bar in BARS.items():
        print(f"{'reached' if figures[name] >= bar else 'MISSED '} {name}: {figures[name]:.1%} (bar {bar:.0%})")


if __name__ == "__main__":
    main()
