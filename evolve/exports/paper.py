"""With what the paper trained (Table 3, Appendix D.1), for the policy and the reward model of a run."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = 128  # pairs of a step
MAX_LENGTH = 2048  # tokens of prompt and response
MAX_PROMPT_LENGTH = 1800
WARM_UP = 0.1  # share of the steps; a cosine follows


@dataclass(frozen=True)
class Training:
    """A row of Table 3. `gamma_ratio` is gamma/beta, of SimPO alone."""

    row: str
    learning_rate: float
    beta: float
    gamma_ratio: float = 0.0

    @property
    def gamma(self) -> float:
        """SimPO's target margin, which trainers divide by beta."""
        return round(self.gamma_ratio * self.beta, 6)


def training(policy: str, reward: str, iteration: int) -> tuple[Training, Training]:
    """What the paper trained such a policy with: by DPO, and by SimPO. A policy that is no Gemma is taken for Llama."""
    gemma, pairwise = "gemma" in policy.lower(), "pairrm" in reward.lower()
    third = 3e-7 if iteration >= 3 else 0.0  # the learning rate of the third iteration
    later = ", third iteration" if third else ""
    if gemma:
        return (
            Training(f"Gemma, DPO{later}", third or 5e-7, 0.01),
            Training(f"Gemma, SimPO{later}", third or 8e-7, 10.0, 0.5),
        )
    dpo = Training(f"Llama, DPO{later}", third or 7e-7, 0.01)
    if pairwise:
        return dpo, Training(f"Llama with PairRM, SimPO{later}", third or 1e-6, 2.5, 0.55)
    return dpo, Training(f"Llama, SimPO{later}", third or 1e-6, 10.0, 0.3)
