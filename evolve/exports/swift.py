"""ms-swift 4.6.0: the conversation with the chosen response, and the text of the rejected one. Checked 2026-11-25."""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{messages, rejected_response}: messages end with the chosen response."""
    return [{"messages": pair["prompt"] + pair["chosen"], "rejected_response": pair["rejected"][0]["content"]}]
