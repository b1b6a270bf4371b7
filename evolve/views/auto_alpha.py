"""alpha = "auto" on a ranked set: its margins, and those that are left when one response of each prompt is."""

from __future__ import annotations

from typing import Any

import numpy as np

from evolve.recipe.selection import Selection
from evolve.views.known import FEWEST_RESPONSES, places
from evolve.views.pairs import Pairs
from evolve.views.responses import Responses
from prompts.errors import UserError
from selection import Metric, count_of
from selection.auto_alpha import Trace, trace, without_one
from selection.metrics import implicit_reward

FEWEST = 20  # pairs; below, a tenth of the set is a pair or two


def find_alpha(
    metric: Metric, pairs: Pairs, known: dict[str, Any], rule: Selection, responses: Responses | None
) -> float:
    """The alpha that the rule of docs/metrics.md finds for this set and k. Raises `UserError` where it finds none."""
    return trace_of(metric, pairs, known, rule, responses).alpha


def trace_of(
    metric: Metric, pairs: Pairs, known: dict[str, Any], rule: Selection, responses: Responses | None
) -> Trace:
    """All that the rule looks at."""
    if responses is None or rule.implicit != "simpo":
        raise UserError(
            "selection.alpha = 'auto' needs rewards and log-probabilities of all n responses of a prompt, in SimPO's "
            "form, to see how well a selection repeats itself. Take grown data, or name an alpha: the paper has 0.25 "
            "to 5.0."
        )
    if len(pairs) < FEWEST:
        raise UserError(
            f"selection.alpha = 'auto' needs at least {FEWEST} pairs; this set has {len(pairs)}. Add prompts, or name "
            "an alpha: the paper's own are 2.5 and 5.0."
        )
    missing = [name for name in ("score_chosen", "implicit_chosen", "implicit_rejected") if name not in known]
    if missing or 0 in (known["scale"].sigma_r, known["scale"].sigma_pi):
        raise UserError(
            f"selection.alpha = 'auto' can't be found for {metric.name}: {', '.join(missing) or 'a margin'} is missing "
            "or the same in all pairs. Name an alpha, or rank by METRIC=eva."
        )
    explicit = np.abs(known["score_chosen"] - known["score_rejected"])
    implicit = np.abs(known["implicit_chosen"] - known["implicit_rejected"])
    at = places(pairs, responses)
    if at.shape[1] < FEWEST_RESPONSES:
        raise UserError(
            f"selection.alpha = 'auto' leaves out one response of a prompt after the other, and prompts have "
            f"{at.shape[1]}. It needs {FEWEST_RESPONSES} or more; name an alpha: the paper's own are 2.5 and 5.0."
        )
    hidden = implicit_reward.simpo(responses.logp, responses.n_tokens, rule.beta)[at]
    scores = responses.scores[at]
    usable = (at >= 0) & np.isfinite(scores) & np.isfinite(hidden) & ~responses.blank[at].astype(bool)
    left_out = []
    for j in range(at.shape[1]):
        r, pi, there = without_one(scores, hidden, usable, j)
        left_out.append((np.where(there, r, explicit), np.where(there, pi, implicit)))
    return trace(explicit, implicit, left_out, count_of(rule.k, len(pairs)))
