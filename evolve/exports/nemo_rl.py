"""NeMo-RL 7ea279ab (PreferenceDataset): the prompt as context, and ranked completions. Checked 2026-11-25."""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{context, completions}: lists of messages; rank 0 is the chosen completion, rank 1 the rejected one."""
    completions = [{"rank": rank, "completion": pair[name]} for rank, name in enumerate(("chosen", "rejected"))]
    return [{"context": pair["prompt"], "completions": completions}]
