"""The numbers of all responses of a sampler, with their rewards. No text is read, and nothing is held by a loop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.ids import ID, Index, distinct, id_array, ids_of
from evolve.pool.pool import Pool
from evolve.recipe.identity import Maker
from evolve.recipe.sections import Reward
from prompts.reasons import is_owed
from rewards.combination import combine

COLUMNS = ["id", "prompt_id", "sample_index", "text_key", "blank", "n_tokens", "logp", "finish_reason", "error"]
COLUMNS += ["thought_tokens", "thought_logp"]


class Spans(Mapping[str, slice]):
    """Each prompt's slice of the responses: a mapping for one, `find` for many at once."""

    def __init__(self, prompt_ids: np.ndarray, starts: np.ndarray) -> None:
        """Prompts with responses, each id once, and where theirs start, with the end of all behind."""
        self.prompt_ids, self.starts = prompt_ids, starts
        self._index = Index(prompt_ids)

    def find(self, prompt_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the responses of each prompt (ids of type ID) start, and how many there are, 0 of one without any."""
        at = self._index.find(prompt_ids)
        there = at >= 0
        starts = np.where(there, self.starts[at], 0)
        return starts, np.where(there, self.starts[at + 1] - starts, 0)

    def __getitem__(self, prompt_id: str) -> slice:
        (start,), (count,) = self.find(id_array([prompt_id]))
        if not count:
            raise KeyError(prompt_id)
        return slice(int(start), int(start + count))

    def __iter__(self) -> Iterator[str]:
        return (identity.decode() for identity in self.prompt_ids)

    def __len__(self) -> int:
        return len(self.prompt_ids)


@dataclass(frozen=True)
class Responses:
    """The responses of one sampler with the rewards of one model, in order of prompt and sample index.

    Arrays of one entry a response: `disagreement` of several reward models in standard deviations, `spread` of one that
    gives a distribution in units of the score, NaN where there is none. `by_model` has the own scores of each of
    several reward models, (models, n), in the recipe's order; (0, n) of one. `spans` gives each prompt's slice,
    `errors` why a prompt has none.
    """

    ids: np.ndarray
    scores: np.ndarray
    disagreement: np.ndarray
    spread: np.ndarray
    by_model: np.ndarray
    reward_errors: np.ndarray
    logp: np.ndarray
    n_tokens: np.ndarray
    finished: np.ndarray
    blank: np.ndarray
    text_keys: np.ndarray
    spans: Spans
    errors: dict[str, str]


def load_responses(
    pool: Pool,
    sampler_id: str,
    rewards: Sequence[Maker],
    n: int,
    reference: Collection[str],
    with_thoughts: bool = False,
    how: Reward | None = None,
) -> Responses:
    """Read the numbers of all responses with sample index below n.

    Of several reward models the score is made of z-scores as `how` says (by default their weighted mean), standardized
    over the responses to the prompts `reference` (X), so that D and D' are on one scale and a score does not depend on
    what else was evolved.

    Log-probabilities and lengths are of the answers, or of thoughts and answers `with_thoughts`.
    """
    columns, errors = _read(pool, sampler_id, n, with_thoughts)
    prompt_ids, which = distinct(columns.pop("prompt_id"))
    order, which = _one_each(which, columns.pop("sample_index"), n)
    rows = {name: columns.pop(name)[order] for name in list(columns)}
    starts = np.searchsorted(which, np.arange(len(prompt_ids) + 1))
    spans = Spans(prompt_ids, starts)
    scores = _rewards_of(pool, rewards, rows["id"], which, prompt_ids, reference, how)
    return Responses(
        ids=rows["id"],
        scores=scores.scores,
        disagreement=scores.disagreement,
        spread=scores.spread,
        by_model=scores.by_model,
        reward_errors=scores.errors,
        logp=rows["logp"],
        n_tokens=rows["n_tokens"],
        finished=rows["finished"],
        blank=rows["blank"],
        text_keys=rows["text_key"],
        spans=spans,
        errors={one: reason for one, reason in errors.items() if not (is_owed(reason) and _is_whole(spans, one, n))},
    )


def _read(pool: Pool, sampler_id: str, n: int, with_thoughts: bool) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The columns of the responses with sample index below n, in the order of the pool, and why prompts have none."""
    errors: dict[str, str] = {}
    empty = pool.responses(sampler_id).schema.empty_table().select(COLUMNS)
    parts = [_arrays(empty, with_thoughts)]
    for part in pool.responses(sampler_id).scan(COLUMNS):
        refused = part.filter(pc.less(part["sample_index"], 0))
        errors |= dict(zip(refused["prompt_id"].to_pylist(), refused["error"].to_pylist(), strict=True))
        part = part.filter(pc.and_(pc.greater_equal(part["sample_index"], 0), pc.less(part["sample_index"], n)))
        parts.append(_arrays(part, with_thoughts))
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}, errors


def _arrays(part: pa.Table, with_thoughts: bool) -> dict[str, np.ndarray]:
    logp, n_tokens = part["logp"].to_numpy(), part["n_tokens"].to_numpy()
    if not with_thoughts:
        logp = logp - part["thought_logp"].fill_null(0.0).to_numpy()
        n_tokens = n_tokens - part["thought_tokens"].fill_null(0).to_numpy()
    return {
        "id": ids_of(part["id"]),
        "prompt_id": ids_of(part["prompt_id"]),
        "sample_index": part["sample_index"].to_numpy(),
        "logp": logp,
        "n_tokens": n_tokens,
        "finished": pc.equal(part["finish_reason"], "stop").fill_null(False).to_numpy(),
        "blank": part["blank"].fill_null(False).to_numpy(),
        "text_key": part["text_key"].to_numpy(),
    }


def _is_whole(spans: Spans, prompt_id: str, n: int) -> bool:
    """Whether all n samples of a prompt are there: what was owed once has been made since."""
    span = spans.get(prompt_id, slice(0, 0))
    return int(span.stop - span.start) >= n


def _one_each(which: np.ndarray, sample_index: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The order of prompt (`which` each response is of) and sample index, and `which` in that order.

    Of the same prompt and sample index the last: a sample that was lost and made again counts once, though its part
    came back.
    """
    place = which * n + sample_index
    order = np.argsort(place, kind="stable")
    place = place[order]
    order = order[np.append(place[1:] != place[:-1], True)[: len(place)]]
    return order, which[order]


class _Scores(NamedTuple):
    """As in Responses; `errors` are the reward errors."""

    scores: np.ndarray
    disagreement: np.ndarray
    spread: np.ndarray
    by_model: np.ndarray
    errors: np.ndarray


def _rewards_of(
    pool: Pool,
    rewards: Sequence[Maker],
    ids: np.ndarray,
    which: np.ndarray,
    prompt_ids: np.ndarray,
    reference: Collection[str],
    how: Reward | None,
) -> _Scores:
    """The scores of each response, by one reward model or by several together. `which` of `prompt_ids` a response
    answers.
    """
    by_model = {reward.id: _scores_of(pool, reward.id, ids) for reward in rewards}
    nothing = np.broadcast_to(np.nan, len(ids))  # nothing is held
    if len(by_model) == 1:
        ((scores, spread, errors),) = by_model.values()
        return _Scores(scores, nothing, spread, np.empty((0, len(ids))), errors)
    pairwise = [one for one in by_model if pool.description("reward", one).get("kind") == "pairwise"]
    scores, disagreement = combine(
        {one: scores for one, (scores, *_) in by_model.items()},
        {reward.id: reward.weight for reward in rewards},
        prompts=which,
        pairwise=pairwise,
        over=(Index(id_array(list(reference))).find(prompt_ids) >= 0)[which],
        how=how.combine if how else "mean",
        penalty=how.penalty if how else 1.0,
    )
    errors = np.full(len(ids), "", object)
    for *_, of_model in by_model.values():
        errors = np.where(errors == "", of_model, errors)
    return _Scores(scores, disagreement, nothing, np.stack([scores for scores, *_ in by_model.values()]), errors)


def _scores_of(pool: Pool, reward_id: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, spread and error of each response; NaN and "" where there is none. The last row of a response counts."""
    found, scores, errors = [np.empty(0, ID)], [np.empty(0)], [np.empty(0, object)]
    spreads = [np.empty(0)]
    for part in pool.rewards(reward_id).scan(["response_id", "score", "spread", "error"]):
        found.append(ids_of(part["response_id"]))
        scores.append(part["score"].to_numpy().astype(float))
        spreads.append(part["spread"].to_numpy().astype(float))
        told = part["error"].fill_null("").combine_chunks().dictionary_encode()  # a text for each reason, not each row
        errors.append(np.array(told.dictionary.to_pylist(), object)[told.indices.to_numpy()])
    at = Index(np.concatenate(found)).find(ids)
    there = np.flatnonzero(at >= 0)
    score, spread, error = np.full(len(ids), np.nan), np.full(len(ids), np.nan), np.full(len(ids), "", object)
    score[there] = np.concatenate(scores)[at[there]]
    spread[there] = np.concatenate(spreads)[at[there]]
    error[there] = np.concatenate(errors)[at[there]]
    return (
        score,
        spread,
        error if (error != "").any() else np.broadcast_to(error[:1], len(ids)),
    )  # none: nothing is held
