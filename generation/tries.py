"""When a server is asked again, and after how long: one rule for everything that asks servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_TOLD = 600.0  # seconds: a server that wants to be left alone for longer is as good as gone


def retry_after(error: BaseException | None) -> float | None:
    """Seconds that a server asked to be left alone for (the header Retry-After: seconds, or a date), at most
    LONGEST_TOLD; None where it asked for nothing.
    """
    headers = getattr(getattr(error, "response", None), "headers", None)
    told = str(headers.get("retry-after") or "").strip() if headers is not None else ""
    if not told:
        return None
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_TOLD) if seconds == seconds else None


def pause_as_told(longest: float) -> Callable[[Any], float]:
    """A wait of tenacity's: random and growing, `longest` seconds at most; or what the server asked for, if longer."""
    from tenacity import wait_random_exponential

    growing = wait_random_exponential(multiplier=0.5, max=longest)

    def pause(state: Any) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        return max(growing(state), retry_after(error) or 0.0)

    return pause
