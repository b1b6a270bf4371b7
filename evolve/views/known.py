"""What is known of the pairs that are ranked: the inputs of metrics (`selection.INPUTS`), from pairs and responses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from evolve.recipe.sections import Recipe, Selection
from evolve.views.pairs import Pairs
from evolve.views.responses import Responses
from prompts.errors import UserError
from rewards.layouts import may_spread
from selection import INPUTS, Metric, Scale, metric_of, scale_of
from selection.metrics import implicit_reward

SIDES = ("chosen", "rejected")
NUMBERS = tuple(f"{name}_{side}" for name in ("score", "logp", "n_tokens", "ref_logp") for side in SIDES)
FEWEST_RESPONSES = 3  # for alpha = "auto": with two, nothing is left of a pair without one
_GROUPS = frozenset({"scores", "lower", "upper"})


def known_of(
    pairs: Pairs, responses: Responses | None, rule: Selection, seed: int, needed: Collection[str]
) -> dict[str, Any]:
    """The inputs of metrics by name; what is not there is left out. The arrays of all n responses and the ids as text,
    which are large, only where they are `needed`.
    """
    ids = pairs.ids if "pair_ids" in needed else pairs.id_array
    known = known_of_columns({name: pairs.rows[name] for name in NUMBERS}, ids, rule, seed)
    if responses is not None and _GROUPS & set(needed):
        known |= _groups(pairs, responses)
    return known


def known_of_columns(
    columns: Mapping[str, np.ndarray], ids: Sequence[str] | np.ndarray, rule: Selection, seed: int
) -> dict[str, Any]:
    """The inputs that follow from a pair's own NUMBERS (pairs,), as far as these are among `columns`."""
    known: dict[str, Any] = {"pair_ids": ids, "seed": seed}
    known |= {name: values for name, values in columns.items() if not (len(values) and np.isnan(values).all())}
    for side in SIDES:
        implicit = _implicit(known, side, rule)
        if implicit is not None:
            known[f"implicit_{side}"] = implicit
    if isinstance(rule.alpha, float | int):
        known["alpha"] = float(rule.alpha)
    if scale := _scale(known):
        known["scale"] = scale
    return known


def check_rule(recipe: Recipe) -> None:
    """Raise `UserError` for a selection that can never be made, before a model has done any work for it."""
    rule = recipe.selection
    for name in (rule.metric, rule.weight):
        if name is None:
            continue
        metric = metric_of(name)
        parameters_of(rule, metric)
        for needed in ("lower", "upper"):
            if needed in metric.inputs and not recipe.reward.ensemble and not may_spread(recipe.reward.model):
                what = INPUTS[needed]
                raise UserError(
                    f"metric {name!r} needs {needed} ({what.meaning}), and this recipe has one reward model: "
                    f"{what.advice}."
                )
        if rule.alpha == "auto" and "alpha" in metric.inputs and recipe.sampling.n < FEWEST_RESPONSES:
            raise UserError(
                f"selection.alpha = 'auto' leaves out one response of a prompt after the other: it needs sampling.n = "
                f"{FEWEST_RESPONSES} or more, and n is {recipe.sampling.n}. Raise it, or name an alpha."
            )


def parameters_of(rule: Selection, metric: Metric) -> dict[str, float]:
    """Those of `selection.parameters` that the metric has. Raises `UserError` for one that none of the recipe has."""
    named = [metric_of(name) for name in dict.fromkeys((rule.metric, rule.weight)) if name is not None]
    there = sorted({name for one in named for name in one.parameters})
    if unknown := [name for name in rule.parameters if name not in there]:
        raise UserError(
            f"selection.parameters: {' and '.join(one.name for one in named)} has no {', '.join(unknown)}. There is "
            f"{', '.join(there) or 'none'}."
        )
    return {name: value for name, value in rule.parameters.items() if name in metric.parameters}


def _implicit(known: dict[str, Any], side: str, rule: Selection) -> np.ndarray | None:
    """The implicit reward in the recipe's form; None where what it is made of is missing."""
    logp, n_tokens, reference = (known.get(f"{name}_{side}") for name in ("logp", "n_tokens", "ref_logp"))
    if rule.implicit == "dpo":
        return None if logp is None or reference is None else implicit_reward.dpo(logp, reference, rule.beta)
    return None if logp is None or n_tokens is None else implicit_reward.simpo(logp, n_tokens, rule.beta)


def _scale(known: dict[str, Any]) -> Scale | None:
    """sigma_r, and sigma_pi where the implicit rewards are there: NaN where they are not."""
    if "score_chosen" not in known or "score_rejected" not in known:
        return None
    explicit = np.abs(known["score_chosen"] - known["score_rejected"])
    if "implicit_chosen" not in known or "implicit_rejected" not in known:
        return Scale(scale_of(explicit, explicit).sigma_r, float("nan"))
    return scale_of(explicit, np.abs(known["implicit_chosen"] - known["implicit_rejected"]))


def _groups(pairs: Pairs, responses: Responses) -> dict[str, np.ndarray]:
    """Rewards of all n responses of each pair's prompt, and their bounds: where several reward models scored them by
    how far these are apart, of one that gives a distribution by its spread.
    """
    at = places(pairs, responses)
    there = at >= 0
    scores = np.where(there, responses.scores[at], np.nan)
    found = {"scores": scores}
    width = np.where(there, np.fmax(responses.disagreement, responses.spread)[at], np.nan)
    if not np.isnan(width).all():
        found |= {"lower": scores - width, "upper": scores + width}
    return found


def places(pairs: Pairs, responses: Responses) -> np.ndarray:
    """Where the responses of each pair's prompt are in `responses`, int (pairs, n); -1 in place of one that is not
    there.
    """
    starts, counts = responses.spans.find(pairs.rows["prompt_id"])
    steps = np.arange(counts.max() if len(counts) else 0)
    return np.where(steps < counts[:, None], starts[:, None] + steps, -1)
