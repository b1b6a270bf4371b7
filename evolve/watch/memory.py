"""Memory in use, to show that the policy has left before the reward model comes."""

from __future__ import annotations

import sys

import psutil


def used_mib() -> int:
    """MiB in use: of the first GPU as its driver sees it, or, without one, of this process and its children (RSS)."""
    torch = sys.modules.get("torch")  # where nothing has imported it yet, nothing is on a GPU
    if torch is not None and torch.cuda.device_count():
        return int(torch.cuda.device_memory_used(0)) >> 20
    this = psutil.Process()
    total = 0
    for process in [this, *this.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total >> 20
