"""The experiments: which arms are trained, on which seeds, and where every answer is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.selfplay.arms import Pair, Pools, main_arms, selection_arms
from benchmarks.selfplay.base import make_base
from benchmarks.selfplay.judging import answers, held_out_prompts, qualities
from benchmarks.selfplay.learning import learn
from benchmarks.selfplay.report import write_report

METHODS = ("dpo", "simpo")
SIZES = ("5%", "10%", "20%", "40%")
ALPHAS: tuple[float | str, ...] = (0.25, 0.5, 1.0, 2.5, 5.0, "auto")


@dataclass(frozen=True)
class Setting:
    """Where everything goes, how many seeds, prompts of X and held-out prompts there are."""

    out: Path
    seeds: int = 5
    prompts: int = 300
    held_out: int = 500

    def result(self, seed: int, method: str, arm: str) -> Path:
        name = "".join(c if c.isalnum() else "-" for c in f"{method} {arm}")
        return self.out / f"seed-{seed}" / "results" / f"{name}.json"


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file `path` holds, made and written first where it is not there."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(made))
        part.replace(path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def judged(setting: Setting, policy: Any, seed: int) -> list[float]:
    prompts = held_out_prompts(setting.held_out)
    return [float(q) for q in qualities(prompts, answers(policy, prompts, seed))]


def trained(setting: Setting, seed: int, method: str, arm: str, pairs: Sequence[Pair], base: Path) -> None:
    """Train one arm by one method and judge it; its result stays in a file."""

    def make() -> dict[str, Any]:
        began = time.monotonic()
        model = learn(method, list(pairs), base, seed)
        trained_in = time.monotonic() - began
        found = judged(setting, model, seed)
        margins = [[p["reward_margin"], p["implicit_margin"]] for p in pairs]
        said = f"seed {seed} {method:5} {arm:24} {len(pairs):5} pairs, mean quality {sum(found) / len(found):.3f}"
        print(f"{said}, {trained_in:.0f} s of training, {time.monotonic() - began - trained_in:.0f} s of judging", flush=True)
        return {"arm": arm, "method": method, "pairs": len(pairs), "margins": margins, "quality": found}

    kept(setting.result(seed, method, arm), make)
