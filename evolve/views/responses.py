"""The numbers of all responses of a sampler, with their rewards. No text is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker
from prompts.reasons import is_owed
from rewards.combination import combine

COLUMNS = ["id", "prompt_id", "sample_index", "text_key", "blank", "n_tokens", "logp", "finish_reason", "error"]
COLUMNS += ["thought_tokens", "thought_logp"]


@dataclass(frozen=True)
class Responses:
    """The responses of one sampler with the rewards of one model, in order of prompt and sample index.

    Arrays of one entry a response; `spans` gives each prompt's slice of them, `errors` why a prompt has none.
    """

    ids: np.ndarray
    scores: np.ndarray
    disagreement: np.ndarray
    reward_errors: np.ndarray
    logp: np.ndarray
    n_tokens: np.ndarray
    finished: np.ndarray
    blank: np.ndarray
    text_keys: np.ndarray
    spans: dict[str, slice]
    errors: dict[str, str]


def load_responses(
    pool: Pool,
    sampler_id: str,
    rewards: Sequence[Maker],
    n: int,
    reference: Collection[str],
    with_thoughts: bool = False,
) -> Responses:
    """Read the numbers of all responses with sample index below n.

    Of several reward models the score is the weighted mean of z-scores, standardized over the responses to the prompts
    `reference` (X), so that D and D' are on one scale and a score does not depend on what else was evolved.

    Log-probabilities and lengths are of the answers, or of thoughts and answers `with_thoughts`.
    """
    errors: dict[str, str] = {}
    parts = []
    for part in pool.responses(sampler_id).scan(COLUMNS):
        refused = part.filter(pc.less(part["sample_index"], 0))
        errors |= dict(zip(refused["prompt_id"].to_pylist(), refused["error"].to_pylist(), strict=True))
        part = part.filter(pc.and_(pc.greater_equal(part["sample_index"], 0), pc.less(part["sample_index"], n)))
        parts.append(part.drop_columns(["error"]))
    empty = pool.responses(sampler_id).schema.empty_table().select(COLUMNS).drop_columns(["error"])
    rows = pa.concat_tables(parts or [empty])
    rows = rows.append_column("place", pa.array(np.arange(len(rows))))
    order = [("prompt_id", "ascending"), ("sample_index", "ascending"), ("place", "ascending")]
    rows = _one_each(rows.sort_by(order))
    ids = np.array(rows["id"].to_pylist(), "S24")
    prompt_ids = np.array(rows["prompt_id"].to_pylist(), "S24")
    scores, disagreement, reward_errors = _rewards_of(pool, rewards, ids, prompt_ids, reference)
    logp, n_tokens = rows["logp"].to_numpy(), rows["n_tokens"].to_numpy()
    if not with_thoughts:
        logp = logp - rows["thought_logp"].fill_null(0.0).to_numpy()
        n_tokens = n_tokens - rows["thought_tokens"].fill_null(0).to_numpy()
    unique, starts = np.unique(prompt_ids, return_index=True)
    ends = np.append(starts, len(prompt_ids))[1:]  # none of none
    spans = {p.decode(): slice(int(a), int(b)) for p, a, b in zip(unique, starts, ends, strict=True)}
    return Responses(
        ids=ids,
        scores=scores,
        disagreement=disagreement,
        reward_errors=reward_errors,
        logp=logp,
        n_tokens=n_tokens,
        finished=np.array(rows["finish_reason"].to_pylist(), dtype=object) == "stop",
        blank=rows["blank"].to_numpy(),
        text_keys=rows["text_key"].to_numpy(),
        spans=spans,
        errors={one: reason for one, reason in errors.items() if not (is_owed(reason) and _is_whole(spans, one, n))},
    )


def _is_whole(spans: dict[str, slice], prompt_id: str, n: int) -> bool:
    """Whether all n samples of a prompt are there: what was owed once has been made since."""
    span = spans.get(prompt_id, slice(0, 0))
    return int(span.stop - span.start) >= n


def _one_each(rows: pa.Table) -> pa.Table:
    """Of sorted rows with the same prompt and sample index the last: a sample that was lost and made again counts once,
    though its part came back.
    """
    prompts, indices = rows["prompt_id"].to_numpy(), rows["sample_index"].to_numpy()
    if not len(rows):
        return rows
    is_last = np.append((prompts[1:] != prompts[:-1]) | (indices[1:] != indices[:-1]), True)
    return rows if is_last.all() else rows.filter(pa.array(is_last))


def _rewards_of(
    pool: Pool, rewards: Sequence[Maker], ids: np.ndarray, prompt_ids: np.ndarray, reference: Collection[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, disagreement and error of each response, by one reward model or by several together."""
    by_model = {reward.id: _scores_of(pool, reward.id, ids) for reward in rewards}
    if len(by_model) == 1:
        ((scores, errors),) = by_model.values()
        return scores, np.full(len(ids), np.nan), errors
    pairwise = [one for one in by_model if pool.description("reward", one).get("kind") == "pairwise"]
    scores, disagreement = combine(
        {one: scores for one, (scores, _) in by_model.items()},
        {reward.id: reward.weight for reward in rewards},
        prompts=prompt_ids,
        pairwise=pairwise,
        over=np.isin(prompt_ids, np.array(list(reference), "S24")),
    )
    errors = np.full(len(ids), "", object)
    for _, of_model in by_model.values():
        errors = np.where(errors == "", of_model, errors)
    return scores, disagreement, errors


def _scores_of(pool: Pool, reward_id: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score and error of each response; NaN and "" where there is no reward row. The last row of a response counts."""
    found, scores, errors = [np.empty(0, "S24")], [np.empty(0)], [np.empty(0, object)]
    for part in pool.rewards(reward_id).scan(["response_id", "score", "error"]):
        found.append(np.array(part["response_id"].to_pylist(), "S24"))
        scores.append(part["score"].to_numpy().astype(float))
        errors.append(np.array(part["error"].fill_null("").to_pylist(), object))
    reward_ids, last = np.unique(np.concatenate(found)[::-1], return_index=True)
    score, error = np.full(len(ids), np.nan), np.full(len(ids), "", object)
    if len(reward_ids):
        at = np.minimum(np.searchsorted(reward_ids, ids), len(reward_ids) - 1)
        there = reward_ids[at] == ids
        score[there] = np.concatenate(scores)[::-1][last[at[there]]]
        error[there] = np.concatenate(errors)[::-1][last[at[there]]]
    return score, error
