"""With what the paper trained (Table 3, Appendix D.1), for the policy and the reward model of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

BATCH = 128  # pairs of a step
MAX_LENGTH = 2048  # tokens of prompt and response
MAX_PROMPT_LENGTH = 1800
WARM_UP = 0.1  # share of the steps; a cosine follows
STEPS = 10  # below which the paper's batch would leave nothing but its warm-up, and the warm-up nothing of the rest


@dataclass(frozen=True)
class Epoch:
    """The one epoch over `n` examples (pairs; lines of KTO): the paper's batch and warm-up where that makes STEPS.

    Trainers take the first step of a warm-up at a rate of 0, and some no step at all for a batch that is not full. So
    fewer examples go in a smaller batch, the largest power of two that makes STEPS, and where even single ones do not
    make as many there is no warm-up. `least` is of a trainer that wants more than one example at once.
    """

    n: int
    least: int = 1

    @property
    def batch(self) -> int:
        """Examples of a step."""
        fits = self.n // STEPS
        return max(self.least, min(BATCH, 1 << (fits.bit_length() - 1))) if fits else self.least

    @property
    def steps(self) -> int:
        return max(1, math.ceil(self.n / self.batch))

    @property
    def full_steps(self) -> int:
        """Steps of a trainer that drops the last batch where it is not full."""
        return max(1, self.n // self.batch)

    @property
    def warm_up(self) -> float:
        """Share of the steps."""
        return WARM_UP if self.full_steps >= STEPS else 0.0

    @property
    def warmup_steps(self) -> int:
        return math.ceil(self.warm_up * self.steps)

    @property
    def told(self) -> list[str]:
        """What differs from the paper, and why, in lines; none where nothing does."""
        if self.batch == BATCH:
            return []
        warm_up = "" if self.warm_up else " without a warm-up"
        return [
            f"Not the paper's: a batch of {self.batch}{warm_up}, for more steps. Its {BATCH} would make "
            f"{math.ceil(self.n / BATCH)} of these {self.n:,}, the first at a rate of 0."
        ]


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
