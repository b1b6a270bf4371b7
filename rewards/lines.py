"""Scores for a stream of rows, one out for each in, in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from generation.conversation import encodable
from prompts import Message
from rewards.protocol import Group, RewardModel, Score, ScoringStopped

WINDOW = 512
Read = tuple[list[Message], str] | str  # messages and response of a line, or what is wrong with it


def score_lines(model: RewardModel, lines: Iterable[Any], *, window: int = WINDOW) -> Iterator[dict[str, Any]]:
    """Yield each line of `lines` with its scores added, in order.

    A line is {"prompt": text or messages, "response": text} and whatever else, which is kept; a single assistant
    message may stand for the response. Added are "score", and where the model has them "rewards" (in the checkpoint's
    order), "gating", "quantiles" and "spread"; or "error", the reason why there is no score: a line that can't be read
    is an error in its place, never an exception. `window` lines are read and scored at a time, more where the last
    group goes on: neighbours with an equal prompt are scored as one group, which is never cut, so that what they share
    is computed once (for pairwise models the group is what a response is compared with).
    """
    stream = iter(lines)
    ahead: list[tuple[Any, Read]] = []
    while batch := ahead + [(line, _read(line)) for line in islice(stream, window - len(ahead))]:
        ahead = []
        last = next((row[0] for _, row in reversed(batch) if isinstance(row, tuple)), None)
        for line in stream if last is not None else ():
            row = _read(line)
            if isinstance(row, tuple) and row[0] != last:
                ahead = [(line, row)]
                break
            batch.append((line, row))
        yield from _score_window(model, [line for line, _ in batch], [row for _, row in batch])


def _score_window(model: RewardModel, batch: list[Any], read: list[Read]) -> Iterator[dict[str, Any]]:
    numbers = [i for i, row in enumerate(read) if isinstance(row, tuple)]
    runs = [list(run) for _, run in groupby(numbers, key=lambda i: read[i][0])]
    groups = [Group(read[run[0]][0], [read[i][1] for i in run]) for run in runs]  # type: ignore[arg-type]
    stop: ScoringStopped | None = None
    try:
        scores = model.score(groups)
    except ScoringStopped as stopped:
        stop, scores = stopped, stopped.scores
    found = dict(zip((i for run in runs for i in run), (s for g in scores for s in g), strict=True))
    for i, (line, row) in enumerate(zip(batch, read, strict=True)):
        kept = dict(line) if isinstance(line, dict) else {"line": line}
        yield kept | ({"error": row} if isinstance(row, str) else fields(found[i]))
    if stop:
        raise stop


def fields(score: Score) -> dict[str, Any]:
    """What a score adds to a row: "score" and, if there are any, "rewards", "gating", "quantiles" and "spread"; or
    "error".
    """
    if score.error or not math.isfinite(score.score):
        return {"error": score.error or "not_finite"}
    vectors = {"rewards": score.objectives, "gating": score.weights, "quantiles": score.quantiles}
    found: dict[str, Any] = {"score": score.score} | {name: list(values) for name, values in vectors.items() if values}
    return found if score.spread is None else found | {"spread": score.spread}


def _read(line: Any) -> Read:
    """The line's messages and response, or what is wrong with it."""
    if isinstance(line, str) and not encodable(line):
        return "not_utf8"
    if not isinstance(line, dict):
        return "not_an_object"
    for key in ("prompt", "response"):
        if line.get(key) is None:
            return f"no_{key}"
    prompt, response = line["prompt"], line["response"]
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if not _is_messages(prompt) or not prompt:
        return "bad_prompt"
    if _is_messages(response) and len(response) == 1 and response[0]["role"] == "assistant":
        response = response[0]["content"]
    if not isinstance(response, str):
        return "bad_response"
    if not encodable(response) or not all(encodable(message["content"]) for message in prompt):
        return "bad_unicode"
    return [Message(role=message["role"], content=message["content"]) for message in prompt], response


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str) for m in value
    )
