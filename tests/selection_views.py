"""Another selection from the rows of a run, and the responses that they are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_runs import NO_CALLS, Made, balanced, make, pool_rows, some_leave

View = Callable[..., Made]


def views_of(made: Made, source: Path) -> View:
    """A function from keys of the section selection to that selection from the rows of `made`. Nothing may be computed,
    and the books must balance.
    """

    def view(**keys: Any) -> Made:
        settings = {f"selection__{name}": value for name, value in keys.items()}
        other = make(some_leave(source, **settings), made.run, view_only=True)
        assert other.calls == NO_CALLS
        balanced(other.manifest)
        return other

    return view


def responses_of(made: Made) -> dict[str, list[dict[str, Any]]]:
    """The scored responses of each prompt."""
    rewards = {row["response_id"]: row["score"] for row in map(json.loads, pool_rows(made.run)["rewards"])}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in map(json.loads, pool_rows(made.run)["responses"]):
        if row["sample_index"] >= 0:
            found.setdefault(row["prompt_id"], []).append(row | {"score": rewards[row["id"]]})
    return found
