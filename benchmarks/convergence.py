"""Theorem 3.1's experiment (Huang et al. 2025, Figure 10): how fast DPO learns a bandit from the pairs of two samplers.

A bandit has contexts with 10 arms each, with rewards drawn from U[0, 1]. The policy is a softmax over one logit an arm,
the reference uniform, so that the implicit reward is beta times the logit, up to a constant of the context. Each step
takes one pair of arms of one context and follows the exact gradient of the DPO loss, with labels of the Bradley-Terry
probability of the rewards. One sampler draws pairs uniformly; the other takes the pair with the largest M_1 (Eq. 9),
the distance between its reward margin and its implicit one. The error of a step is the largest M_1 there is.

On a pair's margins the loss has a curvature of at most 1/4 and moves two logits, so with the rate 2 / beta^2 a small
error of one pair vanishes in a step; with 4 / beta^2 (`--rate 4`) it would only change its sign. The paper's rate of
4 / beta^2 is this one where the loss of a pair counts half.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ARMS, BETA = 10, 0.1
SAMPLERS = ("uniform", "largest M_1")
ERRORS = (0.1, 0.01, 0.001)


@dataclass(frozen=True)
class Setting:
    """How many contexts the bandit has, and the learning rate in units of 1 / beta^2."""

    contexts: int
    rate: float = 2.0


def learn(setting: Setting, sampler: str, start: int, steps: int) -> np.ndarray:
    """The error before each step, float (steps,), of one bandit: that of the seed `start`."""
    rewards = np.random.default_rng(start).uniform(size=(setting.contexts, ARMS))
    draws = np.random.default_rng([start, 1])
    implicit = np.zeros_like(rewards)
    errors = np.empty(steps)
    for step in range(steps):
        m_1 = largest_margins(rewards - implicit)
        errors[step] = m_1.max()
        if sampler == "uniform":
            context = int(draws.integers(setting.contexts))
            first, second = draws.choice(ARMS, 2, replace=False)
        else:  # the arms furthest apart in what is left to learn
            context = int(m_1.argmax())
            left = (rewards - implicit)[context]
            first, second = left.argmax(), left.argmin()
        pull = _sigmoid(rewards[context, first] - rewards[context, second])
        pull -= _sigmoid(implicit[context, first] - implicit[context, second])
        implicit[context, first] += setting.rate * pull  # beta * (rate / beta^2) * beta * pull
        implicit[context, second] -= setting.rate * pull
    return errors


def largest_margins(left: np.ndarray) -> np.ndarray:
    """The largest M_1 of each context, (contexts,), of what is left to learn, r - r_hat, (contexts, arms)."""
    return left.max(axis=1) - left.min(axis=1)


def steps_to(errors: np.ndarray, error: float) -> float:
    """Steps until the error is below `error`; infinity if it never is."""
    below = errors < error
    return float(below.argmax()) if below.any() else float("inf")


def ratios(curves: Mapping[str, Sequence[np.ndarray]], error: float) -> np.ndarray:
    """Uniform's steps to `error` over those of the largest M_1, one a start."""
    uniform, largest = (np.array([steps_to(curve, error) for curve in curves[name]]) for name in SAMPLERS)
    return uniform / largest


def main() -> None:
    arguments = _arguments()
    curves: dict[int, Mapping[str, Sequence[np.ndarray]]] = {}
    print(f"{'contexts':>8} {'error':>6} {'steps, uniform':>15} {'steps, largest M_1':>19} {'ratio (min to max)':>22}")
    for contexts in arguments.contexts:
        setting = Setting(contexts, arguments.rate)
        steps = arguments.steps * contexts
        of = {name: [learn(setting, name, start, steps) for start in range(arguments.starts)] for name in SAMPLERS}
        curves[contexts] = of
        for error in ERRORS:
            uniform, largest = (np.median([steps_to(curve, error) for curve in of[name]]) for name in SAMPLERS)
            found = ratios(of, error)
            spread = f"{np.median(found):.1f} ({found.min():.1f} to {found.max():.1f})"
            print(f"{contexts:>8} {error:>6} {uniform:>15.1f} {largest:>19.1f} {spread:>22}")
    if arguments.plot:
        plot(curves, arguments.plot)
        print(f"Drawn: {arguments.plot}")


def plot(curves: Mapping[int, Mapping[str, Sequence[np.ndarray]]], path: Path) -> None:
    """Draw the error by step, the median of the starts in a band from the lowest to the highest, to a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(curves), 3.6), layout="constrained")
    for axes, (contexts, of) in zip(np.atleast_1d(figure.subplots(1, len(curves))), curves.items(), strict=True):
        for name in SAMPLERS:
            errors = np.maximum(np.stack(of[name]), 1e-12)
            steps = np.arange(errors.shape[1])
            axes.plot(steps, np.median(errors, axis=0), label=name)
            axes.fill_between(steps, errors.min(axis=0), errors.max(axis=0), alpha=0.2)
        last = max(steps_to(curve, ERRORS[-1]) for curve in of["uniform"])
        axes.set(yscale="log", ylim=(ERRORS[-1] / 3, 1.5), xlim=(0, min(last, len(steps)) * 1.05))
        axes.set(title=f"{contexts} context{'s' * (contexts > 1)}, {ARMS} arms", xlabel="steps", ylabel="largest M_1")
        axes.legend()
    figure.savefig(path)


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, nargs="+", default=[1, 5], help="contexts of each bandit (1 5)")
    parser.add_argument("--starts", type=int, default=10, help="bandits, each with rewards of its own (10)")
    parser.add_argument("--steps", type=int, default=400, help="steps a context (400)")
    parser.add_argument("--rate", type=float, default=2.0, help="learning rate, in units of 1 / beta^2 (2)")
    parser.add_argument("--plot", type=Path, help="picture to draw, such as convergence.svg")
    return parser.parse_args()


if __name__ == "__main__":
    main()
