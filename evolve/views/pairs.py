"""From responses and rewards to pairs: pure functions of pool rows. No model, no GPU, seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.recipe.sections import Selection
from evolve.views.responses import Responses
from prompts import content_id
from prompts.errors import UserError
from selection import near_identical
from selection.pairs import Candidates, pair

CHUNK = 10_000
NOT_FINITE = "not_finite"


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
        ("ref_logp_chosen", float),  # sums of log p(y|x) of the reference model, nats; NaN where there is none
        ("ref_logp_rejected", float),
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
        with np.errstate(divide="ignore", invalid="ignore"):
            chosen = rows["logp_chosen"] / rows["n_tokens_chosen"]
            rejected = rows["logp_rejected"] / rows["n_tokens_rejected"]
            return np.abs(chosen - rejected)

    def take(self, indices: Sequence[int] | np.ndarray) -> Pairs:
        """The pairs at `indices`, in that order, as a dataset of its own."""
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        return Pairs(rows, len(rows))


def concat(first: Pairs, second: Pairs) -> Pairs:
    """D and D' together."""
    return Pairs(np.concatenate([first.rows, second.rows]), first.n_in + second.n_in, first.dropped + second.dropped)


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
    return _finite(Pairs(_gather(responses, kept), len(prompt_ids), dropped))


def _finite(pairs: Pairs) -> Pairs:
    """Without the pairs of which a margin is no finite number (a log-probability of -inf, a score of NaN): they would
    make sigma, and with it every score, say nothing.
    """
    keep = np.flatnonzero(np.isfinite(pairs.explicit) & np.isfinite(pairs.implicit))
    if len(keep) == len(pairs):
        return pairs
    return Pairs(pairs.rows[keep], pairs.n_in, pairs.dropped + Counter({NOT_FINITE: len(pairs) - len(keep)}))


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


def _candidates(responses: Responses, span: slice) -> Candidates:
    return Candidates(
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
        rows[f"ref_logp_{side}"] = np.nan
    return rows
