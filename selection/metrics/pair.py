"""Metrics of a preference pair. Each ranks: larger is better. Arrays of shape (pairs,) in and out.

r_w, r_l are the rewards of the chosen and the rejected response, h_w, h_l (the paper's r_hat) their implicit rewards,
L a sum of log-probabilities, s = L / |y|. "The paper" is Huang et al., "Larger or Smaller Reward Margins to Select
Preferences for Alignment?", ICML 2025. A function's positional parameters are its inputs, by their names in
`selection.metrics.inputs`; its keyword-only ones are what `selection.parameters` sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from selection.metrics.scale import Scale


def eva(score_chosen: np.ndarray, score_rejected: np.ndarray) -> np.ndarray:
    """M_r = |r_w - r_l|. Source: eva (Ye et al. 2024, 2411.00062); the paper, Section 2."""
    return np.abs(score_chosen - score_rejected)


def implicit(implicit_chosen: np.ndarray, implicit_rejected: np.ndarray) -> np.ndarray:
    """-M_pi = -|h_w - h_l|: the policy is least decided about the pair. Source: the paper, Section 2."""
    return -np.abs(implicit_chosen - implicit_rejected)


def alignment_potential(
    score_chosen: np.ndarray,
    score_rejected: np.ndarray,
    implicit_chosen: np.ndarray,
    implicit_rejected: np.ndarray,
    scale: Scale,
    alpha: float,
) -> np.ndarray:
    """M_AP = |r_w - r_l| / sigma_r - alpha / sigma_pi * |h_w - h_l|. Source: the paper, Eq. 11, scaled as in D.1.

    With alpha = 0 the implicit term is absent, so sigma_pi may then be 0.
    """
    potential = np.abs(score_chosen - score_rejected) / scale.sigma_r
    return potential - alpha / scale.sigma_pi * np.abs(implicit_chosen - implicit_rejected) if alpha else potential


def signed_potential(
    score_chosen: np.ndarray,
    score_rejected: np.ndarray,
    implicit_chosen: np.ndarray,
    implicit_rejected: np.ndarray,
    scale: Scale,
    alpha: float,
) -> np.ndarray:
    """M_AP signed = |r_w - r_l| / sigma_r - alpha / sigma_pi * (h_w - h_l): a pair that the policy orders wrongly
    gains.

    Source: M_AP with the signed margin of Uni-DPO (see `uni_dpo`). M_+ in the scale of M_AP where r_w >= r_l.
    """
    potential = np.abs(score_chosen - score_rejected) / scale.sigma_r
    return potential - alpha / scale.sigma_pi * (implicit_chosen - implicit_rejected) if alpha else potential


def m_plus(
    score_chosen: np.ndarray, score_rejected: np.ndarray, implicit_chosen: np.ndarray, implicit_rejected: np.ndarray
) -> np.ndarray:
    """M_+ = (r_w - r_l) - (h_w - h_l). Source: the paper, Eq. 10. Nothing is scaled: `selection.beta` weighs h."""
    return (score_chosen - score_rejected) - (implicit_chosen - implicit_rejected)


def m_1(
    score_chosen: np.ndarray, score_rejected: np.ndarray, implicit_chosen: np.ndarray, implicit_rejected: np.ndarray
) -> np.ndarray:
    """M_1 = |(r_w - r_l) - (h_w - h_l)|. Source: the paper, Eq. 9. Nothing is scaled: `selection.beta` weighs h."""
    return np.abs((score_chosen - score_rejected) - (implicit_chosen - implicit_rejected))


def uni_dpo(
    score_chosen: np.ndarray,
    score_rejected: np.ndarray,
    logp_chosen: np.ndarray,
    logp_rejected: np.ndarray,
    n_tokens_chosen: np.ndarray,
    n_tokens_rejected: np.ndarray,
    *,
    eta: float = 0.7,
    beta: float = 10.0,
    tau: float = 1.0,
    gamma: float = 3.0,
) -> np.ndarray:
    """sigmoid(eta (r_w - r_l)) * (1 - sigmoid(beta (s_w - s_l) - tau))^gamma. Source: Uni-DPO (ICLR 2026)."""
    gap = logp_chosen / n_tokens_chosen - logp_rejected / n_tokens_rejected
    return sigmoid(eta * (score_chosen - score_rejected)) * sigmoid(tau - beta * gap) ** gamma  # 1 - sigmoid(x)


def dpo_gap(
    logp_chosen: np.ndarray,
    logp_rejected: np.ndarray,
    ref_logp_chosen: np.ndarray,
    ref_logp_rejected: np.ndarray,
    *,
    beta: float = 1.0,
) -> np.ndarray:
    """-beta ((L_w - Lref_w) - (L_l - Lref_l)): the smallest gap of a trained policy is best. Source: 2508.04149."""
    return -beta * ((logp_chosen - ref_logp_chosen) - (logp_rejected - ref_logp_rejected))


def uniform(pair_ids: Sequence[str], seed: int) -> np.ndarray:
    """The random baseline: a number in [0, 1) from the seed and the pair's id, so it does not depend on the order."""
    return np.array([unit(f"{seed}\x1f{pair_id}") for pair_id in pair_ids], dtype=np.float64)


def unit(name: str) -> float:
    """A number in [0, 1) that is drawn by a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()[:7], "big") / 2**56


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), without an overflow for large -x."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))
