"""All metrics in one table by the names that recipes use, and how one scores the pairs of a set."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from prompts.errors import UserError
from selection.metrics import own, pair, prompt
from selection.metrics.inputs import INPUTS, PER_PAIR

Function = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A metric by its name: its function, the inputs that this declares, the parameters it has beside them with their
    defaults, and, of a user's own, the identity of its code.
    """

    name: str
    function: Function
    inputs: tuple[str, ...]
    parameters: Mapping[str, float]
    identity: str = ""


METRICS: dict[str, Function] = {
    "map": pair.alignment_potential,
    "eva": pair.eva,
    "implicit": pair.implicit,
    "uniform": pair.uniform,
    "m-plus": pair.m_plus,
    "m-1": pair.m_1,
    "map-signed": pair.signed_potential,
    "uni-dpo": pair.uni_dpo,
    "dpo-gap": pair.dpo_gap,
    "gap": prompt.gap,
    "maxmean": prompt.maxmean,
    "var": prompt.var,
    "dts": prompt.dts,
    "mean": prompt.mean,
    "mean-inv": prompt.mean_inv,
    "pvar": prompt.pvar,
    "delta-ucb": prompt.delta_ucb,
}
WEIGHTS = frozenset({"uni-dpo"})  # in [0, 1] by their own formula


def metric_of(name: str) -> Metric:
    """The metric of that name, or the user's own of the form module:function. Raises `UserError`."""
    if function := METRICS.get(name):
        return _declared(name, function)
    if own.is_own(name):
        return _declared(name, *own.load(name))
    raise UserError(f"No metric {name!r}: expected one of {', '.join(METRICS)}, or your own as my_module:my_metric.")


def _declared(name: str, function: Function, identity: str = "") -> Metric:
    """A function with the inputs and parameters that its signature declares."""
    try:
        declared = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise UserError(f"metric {name!r} has no signature that says its inputs. Write it as a function.") from error
    inputs = [one.name for one in declared if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    options = {one.name: one.default for one in declared if one.kind is one.KEYWORD_ONLY}
    if unknown := [one for one in inputs if one not in INPUTS]:
        raise UserError(f"metric {name!r} asks for {', '.join(unknown)}: inputs there are {', '.join(INPUTS)}.")
    if len(inputs) + len(options) < len(declared) or not inputs:
        raise UserError(
            f"metric {name!r}: expected inputs by name ({', '.join(INPUTS)}), not * or **, and at least one."
        )
    for option, default in options.items():
        if isinstance(default, bool) or not isinstance(default, int | float):
            raise UserError(f"metric {name!r}: its parameter {option} has no number for a default.")
    return Metric(name, function, tuple(inputs), {option: float(value) for option, value in options.items()}, identity)


def score(metric: Metric, known: Mapping[str, Any], parameters: Mapping[str, float] | None = None) -> np.ndarray:
    """The metric's scores of the pairs (pairs,), from what is `known` of them, by the names of INPUTS.

    Raises `UserError` where an input is missing or not finite, and where the metric says nothing about this set.
    """
    given = dict(parameters or {})
    if unknown := [one for one in given if one not in metric.parameters]:
        there = ", ".join(metric.parameters) or "none"
        raise UserError(f"selection.parameters: {metric.name} has no {', '.join(unknown)}. Its parameters: {there}.")
    for name in metric.inputs:
        _check(metric, name, known)
    if "scale" in metric.inputs:
        _check_scale(metric, known)
    n = len(known["pair_ids"])
    try:
        found = np.asarray(metric.function(*(known[name] for name in metric.inputs), **given), dtype=np.float64)
    except Exception as error:
        if not metric.identity:
            raise
        raise UserError(
            f"metric {metric.name!r} failed: {type(error).__name__}: {error}. Mend its function."
        ) from error
    if found.shape != (n,):
        raise UserError(
            f"metric {metric.name!r} gave an array of shape {found.shape}: expected one score a pair, ({n},)."
        )
    if bad := int(np.count_nonzero(~np.isfinite(found))):
        raise UserError(
            f"metric {metric.name!r} gave {bad} of {n} pairs a score that is not a finite number. Look at its "
            "parameters and at the units of what it is given."
        )
    return found


def _check(metric: Metric, name: str, known: Mapping[str, Any]) -> None:
    values, what = known.get(name), INPUTS[name]
    if values is None:
        raise UserError(f"metric {metric.name!r} needs {name} ({what.meaning}), which is missing: {what.advice}.")
    if name in PER_PAIR and (bad := int(np.count_nonzero(~np.isfinite(values)))):
        raise UserError(
            f"{bad} of {len(values)} pairs have a {name} that is not a finite number, and metric {metric.name!r} needs "
            f"it ({what.meaning}). Look for a broken reward model or policy, or {what.advice}."
        )


def _check_scale(metric: Metric, known: Mapping[str, Any]) -> None:
    scale, n, alpha = known["scale"], len(known["pair_ids"]), known.get("alpha", 1.0)
    if not n:
        return
    if n < 2:
        raise UserError(
            f"{metric.name} needs at least 2 pairs to take deviations of; this set has 1. Add prompts, or use "
            "METRIC=eva."
        )
    flat = [name for name, sigma in (("sigma_r", scale.sigma_r), ("sigma_pi", scale.sigma_pi)) if sigma == 0]
    if "sigma_r" in flat or ("sigma_pi" in flat and alpha != 0):
        raise UserError(
            f"{' and '.join(flat)} of {n} pairs is 0: all have the same margin, so {metric.name} can't be scaled. "
            "Check that the reward model tells responses apart, or rank by METRIC=eva or METRIC=implicit."
        )
