"""What an invocation has done so far, for the progress line and the manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of this very invocation; `tokens` are those that the policy has sampled."""

    rewrites: int = 0
    samples: int = 0
    scored: int = 0
    referred: int = 0  # responses that a reference model was asked about
    judged: int = 0  # orders of pairs that a judge was asked about
    tokens: int = 0
    passed: int = 0  # of `total` jobs (or responses to score): how many are done or were there already ...
    worked: int = 0  # ... and how many were done now
    total: int = 0
    memory_mib: dict[str, int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    owed: Counter[str] = field(default_factory=Counter)  # not made through a machine's fault: the next run makes it
