"""One line that says how far a long work is: rows done, rate, tokens a second, time left, what was dropped and why."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from evolve.tally import Tally

SECONDS_BETWEEN_LINES = 15.0  # at first, where stderr is a file; then a twentieth of the time so far


@contextmanager
def progress(tally: Tally, what: str) -> Iterator[None]:
    """Show `tally` on stderr while the block runs: refreshed on a terminal, a line now and then in a log."""
    stop = threading.Event()
    start = _Start(time.monotonic(), tally)
    thread = threading.Thread(target=_show, args=(tally, what, start, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Start:
    def __init__(self, now: float, tally: Tally) -> None:
        self.time, self.tokens, self.scored, self.worked = now, tally.tokens, tally.scored, tally.worked
        self.dropped = tally.dropped.copy()


def _show(tally: Tally, what: str, start: _Start, stop: threading.Event) -> None:
    terminal = sys.stderr.isatty()
    while not stop.wait(0.5 if terminal else max(SECONDS_BETWEEN_LINES, (time.monotonic() - start.time) / 20)):
        line = _line(tally, what, start)
        print(f"\r\x1b[2K{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
    line = _line(tally, what, start)
    print(f"\r\x1b[2K{line}" if terminal else line, file=sys.stderr, flush=True)


def _line(tally: Tally, what: str, start: _Start) -> str:
    seconds = max(time.monotonic() - start.time, 1e-6)
    parts = [what, f"{tally.passed:,}/{tally.total:,}"]
    if tally.tokens > start.tokens:
        parts.append(f"{tally.rewrites:,} rewrites, {tally.samples:,} responses")
        parts.append(f"{(tally.tokens - start.tokens) / seconds:,.0f} tokens/s")
    if tally.scored > start.scored:
        parts.append(f"{(tally.scored - start.scored) / seconds:,.0f} responses/s")
    worked = tally.worked - start.worked
    if worked and tally.total > tally.passed:
        left = seconds * (tally.total - tally.passed) / worked
        parts.append(f"{timedelta(seconds=round(left))} left")
    if dropped := tally.dropped - start.dropped:
        parts.append("dropped: " + ", ".join(f"{reason} {n:,}" for reason, n in dropped.most_common()))
    return " | ".join(parts)
