"""TRL 1.16.0 (also alignment-handbook, Unsloth, the SimPO scripts): its explicit conversational form, as in
train.parquet, with nothing beside it. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, lists of messages."""
    return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]
