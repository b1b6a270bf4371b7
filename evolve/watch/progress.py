"""How far a long work is: rows done, rate, tokens a second, time left, what was dropped and why."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from evolve.watch.tally import Tally
from prompts.display import shown

SECONDS_BETWEEN_LINES = 15.0  # at first, where stderr is a file; then a twentieth of the time so far
SECONDS_BETWEEN_FRAMES = 0.5


@contextmanager
def progress(tally: Tally, what: str) -> Iterator[None]:
    """Show `tally` on stderr while the block runs: a bar on a terminal, a line now and then in a log."""
    stop = threading.Event()
    begun = _Begun(time.monotonic(), replace(tally, dropped=tally.dropped.copy()))
    show = _show_bar if sys.stderr.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(tally, what, begun, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class _Begun:
    """When the work began, and what had been done before."""

    time: float
    before: Tally

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self.time, 1e-6)


def _show_lines(tally: Tally, what: str, begun: _Begun, stop: threading.Event) -> None:
    while True:
        stopped = stop.wait(max(SECONDS_BETWEEN_LINES, begun.seconds / 20))
        line = [what, f"{tally.passed:,}/{tally.total:,}", *_figures(tally, begun)]
        print(" | ".join(line), file=sys.stderr, flush=True)
        if stopped:
            return


def _show_bar(tally: Tally, what: str, begun: _Begun, stop: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True, markup=False), auto_refresh=False) as bar:
        task = bar.add_task(what, total=None, told="")
        while True:
            stopped = stop.wait(SECONDS_BETWEEN_FRAMES)
            told = " | ".join(_figures(tally, begun))
            bar.update(task, completed=tally.passed, total=tally.total, told=told, refresh=True)
            if stopped:
                return


def _figures(tally: Tally, begun: _Begun) -> list[str]:
    """Rates since the work began, the time left at the rate of what was done now, and what was dropped."""
    before, seconds, figures = begun.before, begun.seconds, []
    if tally.tokens > before.tokens:
        figures.append(f"{tally.rewrites:,} rewrites, {tally.samples:,} responses")
        figures.append(f"{(tally.tokens - before.tokens) / seconds:,.0f} tokens/s")
    if scored := tally.scored - before.scored + tally.referred - before.referred:
        figures.append(f"{scored / seconds:,.0f} responses/s")
    if judged := tally.judged - before.judged:
        figures.append(f"{judged / seconds:,.1f} judgements/s")
    worked = tally.worked - before.worked
    if worked and tally.total > tally.passed:
        left = seconds * (tally.total - tally.passed) / worked
        figures.append(f"{timedelta(seconds=round(left))} left")
    if dropped := tally.dropped - before.dropped:
        figures.append("dropped: " + ", ".join(f"{reason} {n:,}" for reason, n in dropped.most_common()))
    return [shown(figure, one_line=True) for figure in figures]
