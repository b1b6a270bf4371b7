"""What the seeds say together: means, differences paired by seed, their 95% intervals, as text, JSON and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Student's t at 97.5% for 1 to 29 degrees of freedom; beyond, the normal's 1.96 is near enough.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


@dataclass(frozen=True)
class Interval:
    """A mean and the half width of its 95% interval (Student's t); `half` is NaN for a single value."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} +- {self.half:.3f}"


def interval(values: Sequence[float]) -> Interval:
    """Of a mean over seeds; the seeds are the sample."""
    n = len(values)
    if n < 2:
        return Interval(float(np.mean(values)), float("nan"))
    t = T_975[n - 2] if n - 2 < len(T_975) else 1.96
    return Interval(float(np.mean(values)), float(t * np.std(values, ddof=1) / np.sqrt(n)))


def win_rate(quality: np.ndarray, against: np.ndarray) -> float:
    """Share of prompts whose answer is better than the other policy's; as good counts half."""
    return float(np.mean((quality > against) + 0.5 * (quality == against)))
