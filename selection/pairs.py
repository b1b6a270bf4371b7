"""Pair rules: which two responses of a prompt become the preference pair (y_w, y_l), for many prompts at once.

The chosen response is always the best one; a rule picks the rejected one among those that may be rejected. With the
guard "degenerate" (the default) a pair must mean something: blank and unscored responses take no part, the chosen
response ended by itself, the rejected one has another text and a strictly lower score. A prompt without such a pair
gives a reason instead. With the guard "paper" every scored response takes part, as in the paper's own code. Each check
can be had alone (`selection.guard` has their names).

Shapes: p prompts with n responses each. All is done by whole arrays; there is no loop over prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prompts import content_id
from prompts.errors import UserError
from selection.guard import PICKING, checks_of

Guard = Literal["degenerate", "paper", "strict"]

TOO_FEW, CUT_OFF, IDENTICAL, TIE, BELOW_MARGIN = "too_few_responses", "cut_off", "identical", "tie", "below_margin"


@dataclass(frozen=True, slots=True)
class Candidates:
    """The responses of p prompts, every field of shape (p, n). A prompt with fewer than n has unscored ones in their
    stead.

    `scores` float, NaN where unscored; `n_tokens` int; `finished` bool, False where the length limit cut the response
    off; `text_keys` anything that is equal for equal texts; `blank` bool, True for a text without content.
    """

    scores: np.ndarray
    n_tokens: np.ndarray
    finished: np.ndarray
    text_keys: np.ndarray
    blank: np.ndarray

    def of(self, prompts: np.ndarray) -> Candidates:
        """Those of some prompts, by their indices or a mask."""
        return Candidates(*(getattr(self, name)[prompts] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Picks:
    """What became of p prompts: the indices of the chosen and of the rejected response, int (p,), -1 where a prompt
    gives no pair; and why it gives none, str (p,), "" where it gives one.
    """

    chosen: np.ndarray
    rejected: np.ndarray
    reasons: np.ndarray


# (candidates, chosen (p,), which may be rejected: bool (p, n), in each row at least one; prompt ids) -> rejected (p,)
Rule = Callable[[Candidates, np.ndarray, np.ndarray, Sequence[str]], np.ndarray]


def max_min(
    candidates: Candidates, chosen: np.ndarray, rejectable: np.ndarray, prompt_ids: Sequence[str]
) -> np.ndarray:
    """The lowest score; the first of equals (the paper's rule, D.1)."""
    return _first(_lowest(candidates.scores, rejectable))


def max_random(
    candidates: Candidates, chosen: np.ndarray, rejectable: np.ndarray, prompt_ids: Sequence[str]
) -> np.ndarray:
    """Any of them with equal chance, drawn by the prompt's id: the same prompt always gives the same pair."""
    counts = rejectable.sum(axis=1).tolist()
    drawn = [int(content_id("max_random", one), 16) % n for one, n in zip(prompt_ids, counts, strict=True)]
    return _first(rejectable & (rejectable.cumsum(axis=1) == np.array(drawn, dtype=np.int64)[:, None] + 1))


def mu_minus_2sigma(
    candidates: Candidates, chosen: np.ndarray, rejectable: np.ndarray, prompt_ids: Sequence[str]
) -> np.ndarray:
    """The score nearest to mean - 2 standard deviations of all scored responses; the first of equals.

    Of n scores none lies more than (n-1)/sqrt(n) deviations from the mean, 1.79 for n = 5: for the paper's 5 responses
    this is always the lowest.
    """
    scored = ~np.isnan(candidates.scores)
    counts = scored.sum(axis=1)
    target = np.empty(len(counts))
    for n in np.unique(counts):  # equally many side by side: sums are then rounded as those of one prompt alone
        rows = counts == n
        known = candidates.scores[rows][scored[rows]].reshape(-1, n)
        target[rows] = known.mean(axis=1) - 2 * known.std(axis=1)
    distance = np.abs(candidates.scores - target[:, None])
    return _first(_lowest(np.where(np.isnan(distance), np.inf, distance), rejectable))  # NaN: of scores without end


def length_matched(
    candidates: Candidates, chosen: np.ndarray, rejectable: np.ndarray, prompt_ids: Sequence[str]
) -> np.ndarray:
    """The number of tokens nearest to the chosen one's; of equals the lowest score. A margin keeps the pair clear."""
    difference = np.abs(candidates.n_tokens - _at(candidates.n_tokens, chosen))
    return _first(_lowest(candidates.scores, _lowest(difference, rejectable)))


RULES: dict[str, Rule] = {
    "max_min": max_min,
    "max_random": max_random,
    "mu_minus_2sigma": mu_minus_2sigma,
    "length_matched": length_matched,
}


def pair(
    rule: str,
    candidates: Candidates,
    *,
    prompt_ids: Sequence[str],
    allow_cut_off: bool = False,
    margin: float = 0.0,
    guard: Guard | Collection[str] = "degenerate",
) -> Picks:
    """The pair of each of the prompts `prompt_ids` (p,) by the rule of that name, or the reason why it gives none.

    Reasons: "too_few_responses" (fewer than two scored responses with content), "cut_off" (none that ended by itself is
    better than another; `allow_cut_off` lets any be chosen), "identical" (all others have the chosen text), "tie" (all
    others have the chosen score), "below_margin" (no other is `margin` or more below the chosen score).
    """
    if rule not in RULES:
        raise UserError(f"pair rule {rule!r}: expected one of {', '.join(RULES)}.")
    checks = checks_of(guard) & PICKING
    if not checks:
        chosen, rejectable, reasons = _paper(candidates, margin, chosen_too=RULES[rule] is max_min)
    else:
        chosen, rejectable, reasons = _guarded(candidates, margin, allow_cut_off, checks)
    picks = Picks(np.where(reasons == "", chosen, -1), np.full(len(chosen), -1), reasons)
    paired = np.flatnonzero(reasons == "")
    ids = [prompt_ids[i] for i in paired]
    picks.rejected[paired] = RULES[rule](candidates.of(paired), chosen[paired], rejectable[paired], ids)
    return picks


def _guarded(
    candidates: Candidates, margin: float, allow_cut_off: bool, checks: Collection[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chosen (p,), which may be rejected (p, n) and reasons (p,), with some checks of the guard.

    Rejected may be the other usable responses, with another text and a score lower by more than 0 where these checks
    are on, by 0 or more where not, and by at least `margin`.
    """
    scores = candidates.scores
    usable = ~np.isnan(scores)
    if "empty" in checks:
        usable &= ~candidates.blank
    any_end = allow_cut_off or "cut_off" not in checks
    may_be_chosen = usable if any_end else usable & candidates.finished
    chosen = _first(_highest(scores, may_be_chosen))
    others = usable & (np.arange(scores.shape[1]) != chosen[:, None])
    if "identical" in checks:
        others &= candidates.text_keys != _at(candidates.text_keys, chosen)
    gaps = _at(scores, chosen) - scores
    lower = others & (gaps > 0 if "tie" in checks else gaps >= 0)
    rejectable = lower & (gaps >= margin)
    reasons = _reasons(
        (usable.sum(axis=1) < 2, TOO_FEW),
        (~may_be_chosen.any(axis=1), CUT_OFF),
        (~others.any(axis=1), IDENTICAL),
        (~lower.any(axis=1) & (others & (gaps == 0)).any(axis=1), TIE),
        (~lower.any(axis=1), CUT_OFF),  # only a cut-off response can be better than the chosen one
        (~rejectable.any(axis=1), BELOW_MARGIN),
    )
    return chosen, rejectable, reasons


def _paper(candidates: Candidates, margin: float, chosen_too: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_guarded`, without guard: the first best of all scored responses, and as rejected all of them (for max, min)
    or all others. The margin is the recipe's own wish, not a guard.
    """
    scores = candidates.scores
    scored = ~np.isnan(scores)
    chosen = _first(_highest(scores, scored))
    rejectable = scored if chosen_too else scored & (np.arange(scores.shape[1]) != chosen[:, None])
    if margin:
        rejectable = rejectable & (_at(scores, chosen) - scores >= margin)
    reasons = _reasons((scored.sum(axis=1) < 2, TOO_FEW), (~rejectable.any(axis=1), BELOW_MARGIN))
    return chosen, rejectable, reasons


def _reasons(*cases: tuple[np.ndarray, str]) -> np.ndarray:
    """Of each prompt the first reason whose mask (p,) holds, "" where none does."""
    masks, names = zip(*cases, strict=True)
    reasons: np.ndarray = np.select(masks, names, default="")
    return reasons


def _highest(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Which of each row, `among` these, have the largest value: bool (p, n)."""
    best = np.max(values, axis=1, where=among, initial=-np.inf, keepdims=True)
    return among & (values == best)


def _lowest(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Which of each row, `among` these, have the smallest value: bool (p, n)."""
    top = np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    return among & (values == np.min(values, axis=1, where=among, initial=top, keepdims=True))


def _first(marked: np.ndarray) -> np.ndarray:
    """The index of the first one marked in each row, (p,); 0 where none is."""
    return marked.argmax(axis=1) if marked.shape[1] else np.zeros(len(marked), dtype=np.int64)


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The value at `index` of each row, (p, 1)."""
    return np.take_along_axis(values, index[:, None], axis=1) if values.shape[1] else values[:, :0]
