"""The judge's worker: finds the pairs, in both orders, that a judge has not compared, has them compared, appends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evolve.pool.ids import text_of
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from prompts.reasons import is_owed
from rewards.preference_judge import Comparison, Judgement, JudgingStopped, PreferenceJudge

PER_CALL = 128  # comparisons, so that a crash costs seconds, and progress shows


def judge_missing(
    pool: Pool, sampler_id: str, maker: Maker, rows: np.ndarray, load: Callable[[], PreferenceJudge], tally: Tally
) -> int:
    """Have the pairs `rows` (prompt_id, chosen_id, rejected_id) compared in both orders where they have not been;
    returns how many comparisons were asked for. Raises `Busy` if another process asks this judge, and UserError where
    its server can't be used: what was said before is kept.
    """
    with pool.judging(maker.id):
        missing = _missing(pool, maker.id, rows)
        if not missing:
            return 0
        judge = load()
        pool.describe("judge", maker.id, maker.settings | {"judge": maker.model, "template_text": judge.template})
        responses, prompts = Lookup(pool.responses(sampler_id), "id"), Lookup(pool.prompts, "id")
        tally.passed, tally.total = 0, len(missing)
        try:
            with progress(tally, "judge"):
                for start in range(0, len(missing), PER_CALL):
                    asked = missing[start : start + PER_CALL]
                    try:
                        said = judge.judge(_comparisons(asked, responses, prompts))
                    except JudgingStopped as stopped:
                        _append(pool, maker.id, asked, stopped.judgements, tally)
                        raise
                    _append(pool, maker.id, asked, said, tally)
        finally:
            pool.flush()
        return len(missing)


def _missing(pool: Pool, judge_id: str, rows: np.ndarray) -> list[tuple[str, str, str]]:
    """(prompt, first response, second response) of what has not been compared, the orders of a pair side by side."""
    there: set[tuple[str, str]] = set()
    for part in pool.judgements(judge_id).scan(["first_id", "second_id"]):
        there.update(zip(part["first_id"].to_pylist(), part["second_id"].to_pylist(), strict=True))
    prompt, chosen, rejected = (text_of(rows[f"{name}_id"]) for name in ("prompt", "chosen", "rejected"))
    wanted = [
        (of_prompt, *order)
        for of_prompt, one, other in zip(prompt, chosen, rejected, strict=True)
        for order in ((one, other), (other, one))
    ]
    return [one for one in dict.fromkeys(wanted) if one[1:] not in there]


def _comparisons(asked: Sequence[tuple[str, str, str]], responses: Lookup, prompts: Lookup) -> list[Comparison]:
    of_prompts, first, second = (list(ids) for ids in zip(*asked, strict=True))
    messages = prompts.fetch(of_prompts, ["messages"])["messages"].to_pylist()
    texts = responses.fetch(first + second, ["text"])["text"].to_pylist()
    return [Comparison(*one) for one in zip(messages, texts[: len(first)], texts[len(first) :], strict=True)]


def _append(
    pool: Pool, judge_id: str, asked: Sequence[tuple[str, str, str]], said: Sequence[Judgement], tally: Tally
) -> None:
    """Keep what was said. What a machine's fault left open is not kept: the same command asks for it again."""
    rows: list[dict[str, Any]] = []
    for (_, first, second), one in zip(asked, said, strict=True):
        if one.error and is_owed(one.error):
            tally.owed[one.error] += 1
            continue
        rows.append({"first_id": first, "second_id": second, "verdict": one.verdict, "error": one.error or None})
        tally.dropped.update([one.error] if one.error else [])
    pool.judgements(judge_id).append(rows)
    tally.passed += len(rows)
    tally.worked += len(rows)
    tally.judged += len(rows)
