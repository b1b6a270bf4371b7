"""Sets of pairs as metrics are given them."""

from __future__ import annotations

from typing import Any

import numpy as np

from selection import Scale, metric_of, scale_of, score

# Two pairs: the policy agrees with the first and orders the second wrongly. Every figure was worked with a calculator.
PAIRS = {
    "score_chosen": np.array([3.0, 1.0]),
    "score_rejected": np.array([1.0, 0.5]),
    "logp_chosen": np.array([-10.0, -30.0]),
    "logp_rejected": np.array([-24.0, -10.0]),
    "n_tokens_chosen": np.array([10, 20]),
    "n_tokens_rejected": np.array([20, 10]),
    "ref_logp_chosen": np.array([-12.0, -29.0]),
    "ref_logp_rejected": np.array([-23.0, -12.0]),
    "scores": np.array([[3.0, 1.0, 2.0], [1.0, 0.5, np.nan]]),
    "lower": np.array([[2.0, 0.5, 1.0], [0.0, 0.4, np.nan]]),
    "upper": np.array([[4.0, 1.5, 3.0], [2.0, 0.6, np.nan]]),
    "pair_ids": ["a", "b"],
    "seed": 0,
    "alpha": 2.0,
    "implicit_chosen": np.array([-1.0, -1.5]),
    "implicit_rejected": np.array([-1.2, -1.0]),
    "scale": Scale(0.75, 0.15),  # of 2, 0.5 and of 0.2, 0.5
}


def known(explicit: np.ndarray, hidden: np.ndarray, **more: Any) -> dict[str, Any]:
    """What is known of pairs with these margins; the losers have 0 and a length of 1."""
    nothing = np.zeros(len(explicit))
    sides = {"score_chosen": explicit, "score_rejected": nothing}
    sides |= {"implicit_chosen": hidden, "implicit_rejected": nothing}
    sides |= {"logp_chosen": hidden, "logp_rejected": nothing, "ref_logp_chosen": nothing, "ref_logp_rejected": nothing}
    sides |= {"n_tokens_chosen": nothing + 1, "n_tokens_rejected": nothing + 1}
    groups = {"scores": np.stack([explicit, nothing], 1)}
    groups |= {"lower": groups["scores"] - 1, "upper": groups["scores"] + 1}
    ids = [f"{i:024x}" for i in range(len(explicit))]
    return (
        sides
        | groups
        | {"pair_ids": ids, "seed": 0, "alpha": 2.5, "scale": scale_of(np.abs(explicit), np.abs(hidden))}
        | more
    )


def by(name: str, explicit: np.ndarray, hidden: np.ndarray, **more: Any) -> np.ndarray:
    return score(metric_of(name), known(explicit, hidden, **more))


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, 3.0, n), rng.gamma(1.5, 0.4, n)
