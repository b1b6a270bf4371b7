"""The seed prompts of the default recipe: instructions of every family that the training never saw."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from recipes.factory.world.instruction import FAMILIES, Instruction, Messages, draw_instruction

EACH = 6  # prompts of each family


def draw_seeds() -> list[Instruction]:
    """Distinct held-out instructions; most are plain, a quarter carry a modifier already. Order: mixed."""
    rng, seen, out = Random("seed prompts"), set(), []
    for family in FAMILIES:
        tries, made = 0, 0
        while made < EACH and tries < 200:
            tries += 1
            asked = draw_instruction(rng, True, family, int(made % 4 == 3))
            if asked.core + asked.values.get("before", "") not in seen and len(asked.text()) >= 12:
                seen.add(asked.core + asked.values.get("before", ""))
                out.append(asked)
                made += 1
    rng.shuffle(out)
    return out


def save_seeds(path: Path) -> int:
    rows = [asked.messages() for asked in draw_seeds()]
    lines = [{"prompt": m[0]["content"] if len(m) == 1 else m} for m in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return len(lines)


def load_seeds(path: Path) -> list[Messages]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [p if isinstance(p := r["prompt"], list) else [{"role": "user", "content": p}] for r in rows]
