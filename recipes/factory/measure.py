"""Measure the embedded models on prompts held out from training, against the world's checkers."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np

from prompts import Prompt, duplicate_key, load_rewrite_templates
from prompts.filters import clean, verdict
from prompts.reasons import KEPT
from recipes.factory import EMBEDDED
from recipes.factory.sampling import Sample, Sampler
from recipes.factory.seeds import load_seeds
from recipes.factory.world.instruction import Messages, draw_instruction, read
from recipes.factory.world.judge import judge
from recipes.factory.world.rewriting import ALL_STRATEGIES, request
from rewards import Group, Score, load

Figures = dict[str, float | Mapping[str, float]]
BARS = {
    "rewrites kept": 0.6,
    "responses that end": 0.9,
    "prompts whose 5 samples differ": 0.9,
    "reward agrees with checkers": 0.8,
}


def share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


def rewrite(sampler: Sampler, prompts: list[Messages]) -> tuple[list[Prompt], Figures]:
    """Kept rewrites, and the counts of verdicts."""
    templates = load_rewrite_templates(EMBEDDED / "templates")
    jobs = [(Prompt(list(p)), s) for p in prompts for s in ALL_STRATEGIES]
    samples = sampler.sample([request(s, p.messages) for p, s in jobs], 1, seed=7)
    kept: list[Prompt] = []
    readable: list[bool] = []
    reasons: Counter[str] = Counter()
    by_strategy: Counter[str] = Counter()
    seen: set[tuple[str, str | bool]] = set()
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
            readable.append(read(kept[-1].messages) is not None)
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


def judged(prompts: list[Messages], samples: list[list[Sample]], scored: list[list[Score]]) -> Figures:
    """Agreement of the reward with the checkers over pairs of responses to one prompt; chosen against rejected."""
    agree: list[bool] = []
    clear: list[bool] = []
    chosen: list[float] = []
    rejected: list[float] = []
    weights: list[tuple[Sequence[float], Sequence[float]]] = []
    by_family: defaultdict[str, list[bool]] = defaultdict(list)
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for messages, answers, group in zip(prompts, samples, scored, strict=True):
        verdicts = [v for a in answers if (v := judge(messages, a.text))]
        if len(verdicts) < len(answers):
            continue
        score, quality, family = [s.score for s in group], [v.quality for v in verdicts], verdicts[0].family
        right[family] += [v.qualities[0] == 1 for v in verdicts]
        weights.append((group[0].weights, verdicts[0].weights))
        chosen.append(quality[score.index(max(score))])
        rejected.append(quality[score.index(min(score))])
        for i, j in itertools.combinations(range(len(quality)), 2):
            if abs(quality[i] - quality[j]) > 1e-6:
                hit = (quality[i] > quality[j]) == (score[i] > score[j])
                agree.append(hit)
                by_family[family].append(hit)
                if abs(quality[i] - quality[j]) >= 0.1:
                    clear.append(hit)
    flat = [s.score for group in scored for s in group]
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


def measure(n_more: int, policy: Path, reward: Path) -> tuple[Figures, list[str]]:
    """The figures, and some rewrites and responses to look at."""
    rng = Random("measure")
    prompts = load_seeds(EMBEDDED / "prompts.jsonl") + [draw_instruction(rng, True).messages() for _ in range(n_more)]
    assert all((found := read(p)) and found.held_out() for p in prompts)
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
    groups = [Group(list(p), [s.text for s in g]) for p, g in zip(asked, samples, strict=True)]
    scored = load(str(reward)).score(groups)
    return figures | judged(asked, samples, scored), examples(kept, asked, samples, scored)


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


def report(n_more: int, policy: Path, reward: Path) -> None:
    figures, shown = measure(n_more, policy, reward)
    print("\n".join(shown))
    print(json.dumps(figures, indent=2))
    for name, bar in BARS.items():
        value = figures[name]
        assert isinstance(value, float)
        print(f"{'reached' if value >= bar else 'MISSED '} {name}: {value:.1%} (bar {bar:.0%})")
