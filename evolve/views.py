"""Views: pure functions of pool rows that turn responses and rewards into pairs. No model, no GPU, seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.identity import Maker
from evolve.lookup import Lookup
from evolve.pool import Pool
from evolve.recipe import Selection
from prompts import content_id
from prompts.errors import UserError
from rewards import combine
from rewards.pairs import Candidates, pair
from selection import near_identical

CHUNK = 10_000


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


PAIR = np.dtype(
    [
        ("prompt_id", "S24"),
        ("chosen_id", "S24"),
        ("rejected_id", "S24"),
        ("score_chosen", float),  # rewards r
        ("score_rejected", float),
        ("logp_chosen", float),  # sums of log pi(y|x), nats
        ("logp_rejected", float),
        ("n_tokens_chosen", np.int32),  # |y|
        ("n_tokens_rejected", np.int32),
        ("disagreement_chosen", float),  # of the reward models about a response, NaN where there is one model
        ("disagreement_rejected", float),
    ]
)


@dataclass(frozen=True)
class Pairs:
    """A preference dataset: one row (of dtype PAIR) a pair, in the order of its prompts, and its books.

    Of `n_in` prompts those counted in `dropped`, by reason, have no pair.
    """

    rows: np.ndarray
    n_in: int
    dropped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[str]:
        """The ids in `name` (prompt_id, chosen_id or rejected_id) as text."""
        return [identity.decode() for identity in self.rows[name]]

    @property
    def ids(self) -> list[str]:
        """A pair's identity: its prompt and its two responses."""
        trios = zip(self.column("prompt_id"), self.column("chosen_id"), self.column("rejected_id"), strict=True)
        return [content_id("pair", *trio) for trio in trios]

    @property
    def explicit(self) -> np.ndarray:
        """M_r = |r_w - r_l|, shape (pairs,)."""
        return np.abs(self.rows["score_chosen"] - self.rows["score_rejected"])

    @property
    def implicit(self) -> np.ndarray:
        """M_pi = |log pi(y_w)/|y_w| - log pi(y_l)/|y_l||, shape (pairs,), nats a token (Appendix D.1)."""
        rows = self.rows
        return np.abs(rows["logp_chosen"] / rows["n_tokens_chosen"] - rows["logp_rejected"] / rows["n_tokens_rejected"])

    def take(self, indices: Sequence[int] | np.ndarray) -> Pairs:
        """The pairs at `indices`, in that order, as a dataset of its own."""
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        return Pairs(rows, len(rows))


def concat(first: Pairs, second: Pairs) -> Pairs:
    """D and D' together."""
    return Pairs(np.concatenate([first.rows, second.rows]), first.n_in + second.n_in, first.dropped + second.dropped)


def load_responses(
    pool: Pool, sampler_id: str, rewards: Sequence[Maker], n: int, reference: Collection[str]
) -> Responses:
    """Read the numbers of all responses with sample index below n; texts are looked at part by part and not kept.

    Of several reward models the score is the weighted mean of z-scores, standardized over the responses to the prompts
    `reference` (X), so that D and D' are on one scale and a score does not depend on what else was evolved.
    """
    errors: dict[str, str] = {}
    parts = []
    columns = ["id", "prompt_id", "sampler_id", "sample_index", "text", "n_tokens", "logp", "finish_reason", "error"]
    for part in pool.responses.scan(columns):
        part = part.filter(pc.and_(pc.equal(part["sampler_id"], sampler_id), pc.less(part["sample_index"], n)))
        refused = part.filter(pc.less(part["sample_index"], 0))
        errors |= dict(zip(refused["prompt_id"].to_pylist(), refused["error"].to_pylist(), strict=True))
        part = part.filter(pc.greater_equal(part["sample_index"], 0))
        parts.append(_without_text(part))
    rows = pa.concat_tables(parts) if parts else _without_text(pool.responses.schema.empty_table().select(columns))
    rows = rows.sort_by([("prompt_id", "ascending"), ("sample_index", "ascending")])
    ids = np.array(rows["id"].to_pylist(), "S24")
    prompt_ids = np.array(rows["prompt_id"].to_pylist(), "S24")
    scores, disagreement, reward_errors = _rewards_of(pool, rewards, ids, prompt_ids, reference)
    unique, starts = np.unique(prompt_ids, return_index=True)
    ends = np.append(starts, len(prompt_ids))[1:]  # none of none
    return Responses(
        ids=ids,
        scores=scores,
        disagreement=disagreement,
        reward_errors=reward_errors,
        logp=rows["logp"].to_numpy(),
        n_tokens=rows["n_tokens"].to_numpy(),
        finished=np.array(rows["finish_reason"].to_pylist(), dtype=object) == "stop",
        blank=rows["blank"].to_numpy(),
        text_keys=rows["text_key"].to_numpy(),
        spans={p.decode(): slice(int(a), int(b)) for p, a, b in zip(unique, starts, ends, strict=True)},
        errors=errors,
    )


def pairs_of(responses: Responses, prompt_ids: Sequence[str], rule: Selection, n: int) -> Pairs:
    """One pair for each prompt by the pair rule, or a counted reason why there is none.

    Raises `UserError` when a prompt lacks responses or rewards: a view of an unfinished pool would be silently smaller.
    """
    kept: list[tuple[str, int, int]] = []
    dropped: Counter[str] = Counter()
    incomplete = 0
    for prompt_id in prompt_ids:
        if prompt_id in responses.errors:
            dropped[responses.errors[prompt_id]] += 1
            continue
        span = responses.spans.get(prompt_id, slice(0, 0))
        if (
            span.stop - span.start < n
            or (np.isnan(responses.scores[span]) & (responses.reward_errors[span] == "")).any()
        ):
            incomplete += 1
            continue
        picked = pair(
            rule.pair_rule,
            _candidates(responses, span),
            prompt_id=prompt_id,
            allow_cut_off=rule.allow_cut_off,
            margin=rule.margin,
            guard=rule.guard,
        )
        if isinstance(picked, str):
            dropped[picked] += 1
        else:
            kept.append((prompt_id, span.start + picked[0], span.start + picked[1]))
    if incomplete:
        raise UserError(
            f"{incomplete} of {len(prompt_ids)} prompts have no responses or rewards for this recipe yet. "
            "`evolve run` with the same recipe computes only what is missing."
        )
    return Pairs(_gather(responses, kept), len(prompt_ids), dropped)


def without_near_identical(pairs: Pairs, texts: Lookup) -> Pairs:
    """The guard against degenerate pairs (`selection.near_identical`), which needs texts: looked up in chunks."""
    keep: list[int] = []
    for start in range(0, len(pairs), CHUNK):
        part = pairs.take(range(start, min(start + CHUNK, len(pairs))))
        chosen = texts.fetch(part.column("chosen_id"), ["text"])["text"].to_pylist()
        rejected = texts.fetch(part.column("rejected_id"), ["text"])["text"].to_pylist()
        keep += [start + i for i, both in enumerate(zip(chosen, rejected, strict=True)) if not near_identical(*both)]
    near = Counter({"near_identical": len(pairs) - len(keep)} if len(keep) < len(pairs) else {})
    return Pairs(pairs.take(keep).rows, pairs.n_in, pairs.dropped + near)


def _without_text(part: pa.Table) -> pa.Table:
    text = part["text"]
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0)
    keys = pa.array([hash(one) for one in text.to_pylist()], pa.int64())
    return (
        part.drop_columns(["text", "error", "sampler_id"]).append_column("blank", blank).append_column("text_key", keys)
    )


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


def _candidates(responses: Responses, span: slice) -> Candidates:
    return Candidates(
        ids=[identity.decode() for identity in responses.ids[span]],
        scores=responses.scores[span],
        n_tokens=responses.n_tokens[span],
        finished=responses.finished[span],
        text_keys=responses.text_keys[span].tolist(),
        blank=responses.blank[span],
    )


def _gather(responses: Responses, kept: list[tuple[str, int, int]]) -> np.ndarray:
    rows = np.empty(len(kept), PAIR)
    rows["prompt_id"] = [prompt_id for prompt_id, _, _ in kept]
    for side, at in (("chosen", [w for _, w, _ in kept]), ("rejected", [loser for _, _, loser in kept])):
        index = np.array(at, dtype=np.int64)
        rows[f"{side}_id"] = responses.ids[index]
        rows[f"score_{side}"] = responses.scores[index]
        rows[f"logp_{side}"] = responses.logp[index]
        rows[f"n_tokens_{side}"] = responses.n_tokens[index]
        rows[f"disagreement_{side}"] = responses.disagreement[index]
    return rows
