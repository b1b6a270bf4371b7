"""From pairs to those that are selected: floor, metric, the way to select, caps. Pure functions; no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evolve.recipe.selection import Selection
from evolve.views.auto_alpha import find_alpha
from evolve.views.evolved import initial
from evolve.views.known import known_of, parameters_of, places
from evolve.views.outcome import Ranking
from evolve.views.pairs import Pairs
from evolve.views.responses import Responses
from prompts.errors import UserError
from selection import Scale, count_of, metric_of, ranked, score
from selection.sampling import chances, draw, draw_by_stratum, with_inverse_frequency
from selection.top_k import at_least, capped

# A prompt's id to its parent (its own id where it has none) and its strategy.
Origin = Callable[[str], tuple[str, str]]


@dataclass(frozen=True)
class Material:
    """What a selection may need beside the pairs: the responses of their prompts, and where the prompts come from."""

    responses: Responses | None = None
    origin: Origin = initial


def rank(pairs: Pairs, rule: Selection, seed: int, material: Material) -> Ranking:
    """Rank by the recipe's metric and select. sigma is taken over what is ranked (Appendix D.1). Raises `UserError` for
    no pair, for a set of which the metric says nothing, and for a k that is larger than the set.
    """
    n_in = len(pairs)
    pairs, dropped = _above_floor(pairs, rule, material.responses)
    if not len(pairs):
        why = dict(pairs.dropped + dropped) if pairs.n_in else "no rewrite passed"
        raise UserError(
            f"No pair is left to rank ({why}). All rows are kept: `evolve status` counts them. Add prompts, raise "
            "sampling.max_tokens if responses are cut off, or rank ties and cut-off responses as the paper does with "
            "selection.guard = 'paper'."
        )
    metric = metric_of(rule.metric)
    known = known_of(pairs, material.responses, rule, seed, metric.inputs)
    alpha = known.get("alpha", float("nan"))
    weighing = metric_of(rule.weight).inputs if rule.weight else ()
    if rule.alpha == "auto" and "alpha" in (*metric.inputs, *weighing):
        known["alpha"] = alpha = find_alpha(metric, pairs, known, rule, material.responses)
    scores = score(metric, known, parameters_of(rule, metric))
    order = ranked(scores, pairs.id_array)
    best, turned_away = _selected(scores, order, pairs, rule, seed, material.origin)
    scale = known.get("scale", Scale(float("nan"), float("nan")))
    return Ranking(pairs, metric, scores, scale, alpha, order, best, n_in, dropped + turned_away)


def _selected(
    scores: np.ndarray, order: np.ndarray, pairs: Pairs, rule: Selection, seed: int, origin: Origin
) -> tuple[np.ndarray, Counter[str]]:
    """Indices of the selected, best first, and why the others are not. Caps come first: k is of what they leave."""
    dropped: Counter[str] = Counter()
    k = count_of(rule.k, len(scores)) if rule.mode != "threshold" else len(scores)
    if rule.mode == "threshold":
        assert rule.threshold is not None, "the recipe says so"
        wanted = at_least(scores, order, rule.threshold)
        dropped["below_threshold"] += len(order) - len(wanted)
        order = wanted
    elif rule.mode == "sample":  # in the order of the draw, so that caps turn away what was drawn later
        order = _drawn(scores, pairs, rule, k, seed, origin)
    if rule.per_parent or rule.per_strategy:
        origins = [origin(one) for one in pairs.column("prompt_id")]
        groups = ([one for one, _ in origins], rule.per_parent), ([one for _, one in origins], rule.per_strategy)
        reasons = [reason for reason, (_, most) in zip(("parent_cap", "strategy_cap"), groups, strict=True) if most]
        order, turned_away = capped(order, groups)
        dropped.update(dict(zip(reasons, turned_away, strict=True)))
    best = order[:k]
    dropped["not_sampled" if rule.mode == "sample" else "below_threshold"] += len(scores) - len(best) - dropped.total()
    if rule.mode == "sample":
        best = best[ranked(scores[best], pairs.id_array[best])]
    return best, +dropped


def _drawn(scores: np.ndarray, pairs: Pairs, rule: Selection, k: int, seed: int, origin: Origin) -> np.ndarray:
    """All pairs in the order of eva's draw, or, stratified or without caps, the k that are drawn."""
    chance = chances(scores)
    if rule.balance != "none":
        origins = [origin(one) for one in pairs.column("prompt_id")]
        groups = [parent if rule.balance == "parent" else strategy for parent, strategy in origins]
        chance = with_inverse_frequency(chance, groups, rule.balance_share)
    if rule.strata > 1:
        return draw_by_stratum(scores, chance, pairs.ids, k, seed, rule.strata)
    return draw(chance, pairs.ids, len(pairs), seed)


def _above_floor(pairs: Pairs, rule: Selection, responses: Responses | None) -> tuple[Pairs, Counter[str]]:
    """Without the pairs whose prompts' responses score too little on average, and how many these are."""
    floor: Any = rule.min_mean_reward
    if floor is None or not len(pairs):
        return pairs, Counter()
    if responses is None:
        raise UserError("selection.min_mean_reward needs the rewards of all responses of a prompt: take grown data.")
    at = places(pairs, responses)
    means = np.nanmean(np.where(at >= 0, responses.scores[at], np.nan), axis=1)
    if isinstance(floor, str):
        leave = int(len(pairs) * float(floor[:-1]) / 100 + 1e-9)
        keep = np.sort(np.lexsort((pairs.rows["prompt_id"], means))[leave:])
    else:
        keep = np.flatnonzero(means >= floor)
    left = Pairs(pairs.rows[keep], pairs.n_in, pairs.dropped)
    gone = len(pairs) - len(left)
    return left, Counter({"below_mean_reward": gone} if gone else {})
