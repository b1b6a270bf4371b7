"""From responses and rewards to pairs: pure functions of pool rows. No model, no GPU, seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from evolve.pool.ids import ID, id_array, linked, text_of
from evolve.pool.lookup import Lookup
from evolve.recipe.sections import Selection
from evolve.views.responses import Responses
from prompts.errors import UserError
from rewards.combination import against
from selection import near_identical
from selection.pairs import Candidates, pair
from selection.unlike import surely_unlike

CHUNK, MAX_CHUNK = 10_000, 50_000  # rows whose texts are in memory
TEXT_BYTES = 16 << 20  # and how much these may take, beyond the first
RESPONSES_AT_ONCE = 1 << 18  # that are paired: memory does not grow with the set
NOT_FINITE = "not_finite"


PAIR = np.dtype(
    [
        ("prompt_id", ID),
        ("chosen_id", ID),
        ("rejected_id", ID),
        ("score_chosen", float),  # rewards r
        ("score_rejected", float),
        ("logp_chosen", float),  # sums of log pi(y|x), nats
        ("logp_rejected", float),
        ("n_tokens_chosen", np.int32),  # |y|
        ("n_tokens_rejected", np.int32),
        ("disagreement_chosen", float),  # of the reward models about a response, NaN where there is one model
        ("disagreement_rejected", float),
        ("flips", np.int16),  # how many of the reward models order the pair the other way; -1 where there is one model
        ("ref_logp_chosen", float),  # sums of log p(y|x) of the reference model, nats; NaN where there is none
        ("ref_logp_rejected", float),
    ]
)


class Missing(UserError):
    """The pool lacks rows that a view is made of; `missing` says which."""

    def __init__(self, missing: str) -> None:
        super().__init__(f"{missing}. `evolve run` with the same recipe computes only what is missing.")
        self.missing = missing


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
        return text_of(self.rows[name])

    @cached_property
    def ids(self) -> list[str]:
        """`id_array` as text."""
        return text_of(self.id_array)

    @cached_property
    def id_array(self) -> np.ndarray:
        """A pair's identity: its prompt and its two responses. Of type ID."""
        return linked("pair", *(self.rows[f"{one}_id"] for one in ("prompt", "chosen", "rejected")))

    @property
    def explicit(self) -> np.ndarray:
        """M_r, shape (pairs,)."""
        return explicit_margin(self.rows["score_chosen"], self.rows["score_rejected"])

    @property
    def implicit(self) -> np.ndarray:
        """M_pi, shape (pairs,)."""
        rows = self.rows
        return implicit_margin(
            rows["logp_chosen"], rows["n_tokens_chosen"], rows["logp_rejected"], rows["n_tokens_rejected"]
        )

    def part(self, start: int, end: int) -> Pairs:
        """The pairs from `start` to `end`, as a dataset of its own; nothing is copied."""
        rows = self.rows[start:end]
        return Pairs(rows, len(rows))

    def take(self, indices: Sequence[int] | np.ndarray) -> Pairs:
        """The pairs at `indices`, in that order, as a dataset of its own."""
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        return Pairs(rows, len(rows))


def explicit_margin(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """M_r = |r_w - r_l| of the scores of both."""
    return np.abs(chosen - rejected)


def implicit_margin(
    logp_chosen: np.ndarray, n_chosen: np.ndarray, logp_rejected: np.ndarray, n_rejected: np.ndarray
) -> np.ndarray:
    """M_pi = |log pi(y_w)/|y_w| - log pi(y_l)/|y_l||, nats a token (Appendix D.1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(logp_chosen / n_chosen - logp_rejected / n_rejected)


def concat(first: Pairs, second: Pairs) -> Pairs:
    """D and D' together."""
    return Pairs(np.concatenate([first.rows, second.rows]), first.n_in + second.n_in, first.dropped + second.dropped)


def pairs_of(responses: Responses, prompt_ids: Sequence[str], rule: Selection, n: int) -> Pairs:
    """One pair for each prompt by the pair rule, or a counted reason why there is none.

    Raises `UserError` when a prompt lacks responses or rewards: a view of an unfinished pool would be silently smaller.
    """
    errors = responses.errors
    dropped = Counter(errors[one] for one in prompt_ids if one in errors) if errors else Counter[str]()
    asked = id_array([one for one in prompt_ids if one not in errors] if errors else prompt_ids)
    starts, counts = responses.spans.find(asked)
    incomplete = int((counts < n).sum())
    rows, n_rows = np.empty(len(asked), PAIR), 0  # room for all: what is not filled takes no memory
    step = max(1, RESPONSES_AT_ONCE // n)
    whole = np.flatnonzero(counts >= n)
    for part in (whole[start : start + step] for start in range(0, len(whole), step)):
        places = starts[part][:, None] + np.arange(n)
        owed = np.isnan(responses.scores[places]) & (responses.reward_errors[places] == "")
        incomplete += int(owed.any(axis=1).sum())
        picks = pair(
            rule.pair_rule,
            _candidates(responses, places),
            prompt_ids=text_of(asked[part]),
            allow_cut_off=rule.allow_cut_off,
            margin=rule.margin,
            guard=rule.checks,
        )
        dropped.update(picks.reasons[picks.reasons != ""].tolist())
        paired = picks.chosen >= 0
        first = starts[part][paired]
        into = rows[n_rows : n_rows + len(first)]
        _gather(responses, into, asked[part][paired], first + picks.chosen[paired], first + picks.rejected[paired])
        n_rows += len(first)
    if incomplete:
        raise Missing(f"{incomplete} of {len(prompt_ids)} prompts have no responses or rewards for this recipe yet")
    return _finite(Pairs(rows[:n_rows], len(prompt_ids), dropped))


def _finite(pairs: Pairs) -> Pairs:
    """Without the pairs of which a margin is no finite number (a log-probability of -inf, a score of NaN): they would
    make sigma, and with it every score, say nothing.
    """
    keep = np.flatnonzero(np.isfinite(pairs.explicit) & np.isfinite(pairs.implicit))
    if len(keep) == len(pairs):
        return pairs
    return Pairs(pairs.rows[keep], pairs.n_in, pairs.dropped + Counter({NOT_FINITE: len(pairs) - len(keep)}))


def without_near_identical(pairs: Pairs, texts: Lookup) -> Pairs:
    """The guard against degenerate pairs (`selection.near_identical`), which needs texts: looked up some at a time."""
    near: list[int] = []
    start, step = 0, CHUNK
    while start < len(pairs):
        rows = pairs.rows[start : start + step]
        said = texts.fetch(np.concatenate([rows["chosen_id"], rows["rejected_id"]]), ["text"])["text"].combine_chunks()
        unsure = np.flatnonzero(~surely_unlike(*_as_bytes(said)))
        chosen, rejected = said.take(unsure).to_pylist(), said.take(unsure + len(rows)).to_pylist()
        both = zip(unsure.tolist(), chosen, rejected, strict=True)
        near += [start + i for i, one, other in both if near_identical(one, other)]
        start, step = start + len(rows), rows_at_once(len(rows), said.nbytes)
    if not near:
        return pairs
    return Pairs(np.delete(pairs.rows, near), pairs.n_in, pairs.dropped + Counter({"near_identical": len(near)}))


def _as_bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """A column of texts as bytes (UTF-8), and where each text ends, 0 in front."""
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return data[ends[0] : ends[-1]], ends.astype(np.int64) - ends[0]


def rows_at_once(n: int, n_bytes: int) -> int:
    """How many rows to look up texts of, where those of `n` took so many bytes: as many as memory is meant for, since
    rows in order of rank lie in all parts of the pool, each of which is read once for a chunk.
    """
    return int(min(max(CHUNK, TEXT_BYTES * n // max(1, n_bytes)), MAX_CHUNK))


def _candidates(responses: Responses, places: np.ndarray) -> Candidates:
    return Candidates(
        scores=responses.scores[places],
        n_tokens=responses.n_tokens[places],
        finished=responses.finished[places],
        text_keys=responses.text_keys[places],
        blank=responses.blank[places],
    )


def _gather(
    responses: Responses, rows: np.ndarray, prompt_ids: np.ndarray, chosen: np.ndarray, rejected: np.ndarray
) -> None:
    """Fill `rows` (pairs,) of dtype PAIR with what is known of pairs of places in `responses`."""
    rows["prompt_id"] = prompt_ids
    for side, places in (("chosen", chosen), ("rejected", rejected)):
        rows[f"{side}_id"] = responses.ids[places]
        rows[f"score_{side}"] = responses.scores[places]
        rows[f"logp_{side}"] = responses.logp[places]
        rows[f"n_tokens_{side}"] = responses.n_tokens[places]
        rows[f"disagreement_{side}"] = responses.disagreement[places]
        rows[f"ref_logp_{side}"] = np.nan
    rows["flips"] = flips_of(responses, chosen, rejected)


def flips_of(responses: Responses, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Of pairs of places in `responses` how many reward models order each the other way, -1 where there is one."""
    if not len(responses.by_model):
        return np.full(len(chosen), -1)
    return against(responses.by_model[:, chosen], responses.by_model[:, rejected])
