"""Pair rules: which two responses of a prompt become the preference pair (y_w, y_l).

The chosen response is always the best one; a rule picks the rejected one among those that may be rejected. With the
guard "degenerate" (the default) a pair must mean something: blank and unscored responses take no part, the chosen
response ended by itself, the rejected one has another text and a strictly lower score. A prompt without such a pair
gives a reason instead. With the guard "paper" every scored response takes part, as in the paper's own code. Each check
can be had alone (`selection.guard` has their names).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prompts import content_id
from prompts.errors import UserError
from selection.guard import PICKING, checks_of

Guard = Literal["degenerate", "paper", "strict"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The n responses of one prompt, one entry each in every field.

    `scores` float (n,), NaN where unscored; `n_tokens` int (n,); `finished` bool (n,), False where the length limit
    cut the response off; `text_keys` anything that is equal for equal texts; `blank` bool (n,), True for a text without
    content.
    """

    scores: np.ndarray
    n_tokens: np.ndarray
    finished: np.ndarray
    text_keys: Sequence[Hashable]
    blank: np.ndarray


# (candidates, index of the chosen one, indices that may be rejected: ascending, not empty; prompt id) -> rejected index
Rule = Callable[[Candidates, int, np.ndarray, str], int]


def max_min(candidates: Candidates, chosen: int, rejectable: np.ndarray, prompt_id: str) -> int:
    """The lowest score; the first of equals (the paper's rule, D.1)."""
    return int(rejectable[np.argmin(candidates.scores[rejectable])])


def max_random(candidates: Candidates, chosen: int, rejectable: np.ndarray, prompt_id: str) -> int:
    """Any of them with equal chance, drawn by the prompt's id: the same prompt always gives the same pair."""
    return int(rejectable[int(content_id("max_random", prompt_id), 16) % len(rejectable)])


def mu_minus_2sigma(candidates: Candidates, chosen: int, rejectable: np.ndarray, prompt_id: str) -> int:
    """The score nearest to mean - 2 standard deviations of all scored responses; the first of equals.

    Of n scores none lies more than (n-1)/sqrt(n) deviations from the mean, 1.79 for n = 5: for the paper's 5 responses
    this is always the lowest.
    """
    scored = candidates.scores[~np.isnan(candidates.scores)]
    distance = np.abs(candidates.scores[rejectable] - (scored.mean() - 2 * scored.std()))
    return int(rejectable[np.argmin(distance)])


def length_matched(candidates: Candidates, chosen: int, rejectable: np.ndarray, prompt_id: str) -> int:
    """The number of tokens nearest to the chosen one's; of equals the lowest score. A margin keeps the pair clear."""
    difference = np.abs(candidates.n_tokens[rejectable] - candidates.n_tokens[chosen])
    return int(rejectable[np.lexsort((candidates.scores[rejectable], difference))[0]])


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
    prompt_id: str,
    allow_cut_off: bool = False,
    margin: float = 0.0,
    guard: Guard | Collection[str] = "degenerate",
) -> tuple[int, int] | str:
    """Indices (chosen, rejected) by the rule of that name, or the reason why the prompt gives no pair.

    Reasons: "too_few_responses" (fewer than two scored responses with content), "cut_off" (none that ended by itself is
    better than another; `allow_cut_off` lets any be chosen), "identical" (all others have the chosen text), "tie" (all
    others have the chosen score), "below_margin" (no other is `margin` or more below the chosen score).
    """
    if rule not in RULES:
        raise UserError(f"pair rule {rule!r}: expected one of {', '.join(RULES)}.")
    scores = np.asarray(candidates.scores, dtype=float)
    scored = ~np.isnan(scores)
    checks = checks_of(guard) & PICKING
    usable = scored & ~np.asarray(candidates.blank, dtype=bool) if "empty" in checks else scored
    if usable.sum() < 2:
        return "too_few_responses"
    if not checks:
        return _paper(rule, candidates, np.flatnonzero(usable), prompt_id, margin)
    any_end = allow_cut_off or "cut_off" not in checks
    may_be_chosen = usable if any_end else usable & np.asarray(candidates.finished, dtype=bool)
    if not may_be_chosen.any():
        return "cut_off"
    chosen = int(np.argmax(np.where(may_be_chosen, scores, -np.inf)))
    rejectable = _rejectable(candidates, scores, usable, chosen, margin, checks)
    return (
        rejectable if isinstance(rejectable, str) else (chosen, RULES[rule](candidates, chosen, rejectable, prompt_id))
    )


def _rejectable(
    candidates: Candidates, scores: np.ndarray, usable: np.ndarray, chosen: int, margin: float, checks: Collection[str]
) -> np.ndarray | str:
    """Indices of the other usable responses, with another text and a score lower by more than 0 where these checks are
    on, by 0 or more where not, and by at least `margin`.
    """
    others = np.flatnonzero(usable & (np.arange(len(usable)) != chosen))
    if "identical" in checks:
        text = candidates.text_keys[chosen]
        others = np.array([i for i in others if candidates.text_keys[i] != text], dtype=int)
        if not others.size:
            return "identical"
    gaps = scores[chosen] - scores[others]
    lower = gaps > 0 if "tie" in checks else gaps >= 0
    if not lower.any():
        return "tie" if (gaps == 0).any() else "cut_off"  # only a cut-off response can be better than the chosen one
    enough = others[lower & (gaps >= margin)]
    return enough if enough.size else "below_margin"


def _paper(
    rule: str, candidates: Candidates, scored: np.ndarray, prompt_id: str, margin: float
) -> tuple[int, int] | str:
    """The first best of all scored responses, and the rule's pick among all (max, min) or all others. The margin is the
    recipe's own wish, not a guard.
    """
    chosen = int(scored[np.argmax(candidates.scores[scored])])
    rejectable = scored if RULES[rule] is max_min else scored[scored != chosen]
    if margin:
        rejectable = rejectable[candidates.scores[chosen] - candidates.scores[rejectable] >= margin]
    return (chosen, RULES[rule](candidates, chosen, rejectable, prompt_id)) if rejectable.size else "below_margin"
