"""Several reward models on one set of responses: a common score, and where they disagree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

from prompts.errors import UserError

Combination = Literal["mean", "min", "penalized"]


def combine(
    scores: Mapping[str, np.ndarray],
    weights: Mapping[str, float] | None = None,
    *,
    prompts: Sequence[object] | np.ndarray | None = None,
    pairwise: Collection[str] = (),
    over: np.ndarray | None = None,
    how: Combination = "mean",
    penalty: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The models' z-scores in one number, and their disagreement: both float (n,) for n responses.

    `how`: "mean" is the weighted mean of z-scores; "min" the worst case, the smallest of them, whatever the weights
    (Coste et al. 2024, arXiv 2310.02743, worst-case optimization); "penalized" the weighted mean less `penalty` times
    the disagreement (there: uncertainty-weighted optimization, with the variance in place of the deviation).

    `scores` holds float (n,) for each model, NaN where a response has no score; such a response has none here either.
    Each model is standardized over the set (population standard deviation). A model named in `pairwise` ranks only
    the responses of one prompt, so it is standardized within each prompt; `prompts` (n,) then names each response's
    prompt. `over` bool (n,) names the responses that mean and deviation are taken of (a reference set; all by
    default; not for pairwise models). A constant model says nothing: its z-scores are 0. `weights` default to 1. The
    disagreement is the population standard deviation of the models' z-scores of a response: 0 for one model.
    """
    if not scores:
        raise UserError("combine: no reward model's scores were given.")
    lengths = {name: np.shape(values) for name, values in scores.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"combine: every model needs a score for the same responses; found shapes {lengths}.")
    weights = weights or dict.fromkeys(scores, 1.0)
    if set(weights) != set(scores) or min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise UserError(
            f"combine: weights {dict(weights)} for models {list(scores)}: one each, not negative, not all 0."
        )
    unknown = set(pairwise) - set(scores)
    if unknown or (pairwise and prompts is None):
        raise UserError(
            f"combine: pairwise models {sorted(pairwise)} must be among {list(scores)}, with `prompts` given."
        )
    z = np.stack(
        [
            _standardized(values, prompts) if name in pairwise else _standardized(values, None, over)
            for name, values in scores.items()
        ]
    )
    share = np.array([weights[name] for name in scores], dtype=float) / sum(weights.values())
    disagreement = z.std(axis=0)
    if how == "min":
        return z.min(axis=0), disagreement  # NaN where a model has no score
    mean = share @ z
    return mean - penalty * disagreement if how == "penalized" else mean, disagreement


def against(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Of each pair how many models order it the other way, int (pairs,), from their own scores (models, pairs); a tie
    is no order.
    """
    found: np.ndarray = (chosen < rejected).sum(axis=0)
    return found


def flip_rates(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Of every two models the share of pairs that they order differently, among those that both order: float (models,
    models) from their own scores (models, pairs), NaN where there is no such pair.
    """
    order = np.sign(chosen - rejected)
    order = np.where(np.isnan(order), 0, order)
    both = np.abs(order) @ np.abs(order).T
    differ = (both - order @ order.T) / 2
    return np.where(both > 0, differ / np.where(both > 0, both, 1), np.nan)


def _standardized(
    values: np.ndarray, prompts: Sequence[object] | np.ndarray | None, over: np.ndarray | None = None
) -> np.ndarray:
    """z-scores (n,) over all values (or those of `over`), or within each prompt; NaN stays NaN and counts for
    nothing.
    """
    values = np.asarray(values, dtype=float)
    if prompts is None:
        group = np.zeros(len(values), dtype=int)
    else:
        index: dict[object, int] = {}
        group = np.array([index.setdefault(prompt, len(index)) for prompt in prompts], dtype=int)
    known = ~np.isnan(values)
    counted = known if over is None else known & over
    n = np.maximum(np.bincount(group, weights=counted), 1)
    centered = values - (np.bincount(group, weights=np.where(counted, values, 0)) / n)[group]
    spread = np.sqrt(np.bincount(group, weights=np.where(counted, centered, 0) ** 2) / n)[group]
    # Equal scores leave a spread of rounding errors only; it must not be blown up to 1.
    constant = spread <= 1e-12 * np.maximum(np.abs(values), 1e-300)
    z: np.ndarray = np.where(known, np.where(constant, 0.0, centered / np.where(constant, 1.0, spread)), np.nan)
    return z
