"""Texts to score: random words of drawn lengths, or a file's own."""

from __future__ import annotations

import json
import random
from pathlib import Path

from prompts import Message
from rewards.protocol import Group

WORDS = "the a of to and in is was for on with as by at from his her they we you it not but had are or all".split()


def generated(prompts: int, responses: int, prompt_tokens: int, response_tokens: int, sigma: float) -> list[Group]:
    """Groups of random words; lengths log-normal with these means (sigma 0: all alike)."""
    draw = random.Random(0)

    def text(mean: int) -> str:
        n = round(draw.lognormvariate(0, sigma) * mean / 2.718281828 ** (sigma**2 / 2))
        return " ".join(draw.choices(WORDS, k=max(1, n)))

    user: list[list[Message]] = [[{"role": "user", "content": text(prompt_tokens)}] for _ in range(prompts)]
    return [Group(messages, [text(response_tokens) for _ in range(responses)]) for messages in user]


def from_file(path: Path, prompts: int, responses: int) -> list[Group]:
    """The file's prompts with their own responses, and those of the next rows up to `responses`: real lengths."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()][:prompts]
    own = [[row[key] for key in ("chosen", "rejected", "response") if key in row] for row in rows]
    groups = []
    for i, row in enumerate(rows):
        texts = list(own[i])
        for other in (*own[i + 1 :], *own[:i]):
            texts += other[: responses - len(texts)]
        prompt = row["prompt"]
        groups.append(
            Group([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt, texts[:responses])
        )
    return groups
