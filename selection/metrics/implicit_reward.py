"""The implicit reward r_hat of a response under the policy, in the two forms that trainers have. Arrays (pairs,)."""

from __future__ import annotations

import numpy as np


def simpo(logp: np.ndarray, n_tokens: np.ndarray, beta: float = 1.0) -> np.ndarray:
    """r_hat = beta * log pi(y|x) / |y|, nats a token: no reference model (SimPO, Meng et al. 2024; what the paper
    uses).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return beta * (logp / n_tokens)


def dpo(logp: np.ndarray, ref_logp: np.ndarray, beta: float = 1.0) -> np.ndarray:
    """r_hat = beta * log(pi(y|x) / pi_ref(y|x)), nats (DPO, Rafailov et al. 2023). 0 where policy and reference are one
    model, so it serves from the second iteration on, or with a separate reference.
    """
    return beta * (logp - ref_logp)
