"""What the embedded reward model learns from: groups of judged answers, and the batches made of them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from recipes.factory.tokens import Encoder
from recipes.factory.training import padded
from recipes.factory.world.instruction import FLAWS, Messages, draw_answer, draw_instruction
from recipes.factory.world.judge import judge

GROUPS, ANSWERS, CHUNK = 16, 5, 50  # prompts a batch, answers a prompt, steps a chunk
FROM_POLICY = 0.5  # share of the groups that are the policy's own answers; the others are drawn from the world


@dataclass(frozen=True)
class Group:
    """A prompt, its answers and what the checkers say of each: quality (answers,), qualities (answers, 19); and how
    much each quality counts for this prompt: weights (19,).
    """

    messages: Messages
    answers: list[str]
    quality: list[float]
    qualities: list[tuple[float, ...]]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Batch:
    """Groups of ANSWERS each, one row a group: the prompt once, then its answers, none of which sees another.

    Token ids and positions (B, T), additive mask (B, 1, T, T), index of the prompt's <|eot_id|> (B,); of each answer
    its row and the index of its final token (B * ANSWERS,); of each answer token its row, its index, the index of
    the token before it, its answer, and its place there (tokens,).
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    gate: Tensor
    answer_row: Tensor
    last: Tensor
    row: Tensor
    at: Tensor
    before: Tensor
    answer: Tensor
    place: Tensor


def batch_of(encoder: Encoder, groups: list[Group]) -> Batch:
    rows: list[list[int]] = []
    places: list[list[int]] = []
    owners: list[list[int]] = []
    gates: list[int] = []
    lasts: list[tuple[int, int]] = []
    tokens: list[tuple[int, int, int, int, int]] = []
    for r, group in enumerate(groups):
        prompt = encoder.prompt(group.messages)
        row, at, owner = list(prompt), list(range(len(prompt))), [-1] * len(prompt)
        for i, text in enumerate(group.answers):
            made, start = encoder.answer(text), len(row)
            before = [len(prompt) - 1, *range(start, start + len(made) - 1)]
            tokens += [(r, start + j, b, len(lasts), j) for j, b in enumerate(before)]
            row += made
            at += range(len(prompt), len(prompt) + len(made))
            owner += [i] * len(made)
            lasts.append((r, len(row) - 1))
        rows.append(row)
        places.append(at)
        owners.append(owner)
        gates.append(len(prompt) - len(encoder.headers["assistant"]) - 1)
    of = padded(owners, -2)
    seen = (of[:, None, :] == of[:, :, None]) | (of[:, None, :] == -1)
    seen &= torch.ones(of.shape[1], of.shape[1], dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, float("-inf"))[:, None]
    answer_row, last = torch.tensor(lasts).T
    ids, positions, gate = padded(rows, encoder.pad), padded(places, 0), torch.tensor(gates)
    return Batch(ids, positions, mask, gate, answer_row, last, *torch.tensor(tokens).T)


def draw_group(rng: Random) -> Group:
    """A training prompt with answers of the world, most of them flawed in some way."""
    while True:
        asked = draw_instruction(rng, False)
        answers = [draw_answer(rng, asked, rng.choice(FLAWS) if rng.random() < 0.65 else "") for _ in range(ANSWERS)]
        group = judged(asked.messages(), answers)
        if group:
            return group


def judged(messages: Messages, answers: list[str]) -> Group | None:
    verdicts = [judge(messages, a) for a in answers]
    if any(v is None for v in verdicts):
        return None
    known = [v for v in verdicts if v is not None]
    return Group(messages, answers, [v.quality for v in known], [v.qualities for v in known], known[0].weights)


def draw_chunk(rng: Random, pool: list[Group]) -> list[list[Group]]:
    """CHUNK batches of GROUPS, groups of like length together."""
    groups = [
        rng.choice(pool) if pool and rng.random() < FROM_POLICY else draw_group(rng) for _ in range(CHUNK * GROUPS)
    ]
    groups.sort(key=lambda g: sum(map(len, (*g.answers, *(m["content"] for m in g.messages)))))
    batches = [groups[i : i + GROUPS] for i in range(0, len(groups), GROUPS)]
    rng.shuffle(batches)
    return batches
