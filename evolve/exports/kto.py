"""KTO: a line for each response with a label. One file that TRL 1.16.0, ms-swift 4.6.0, LLaMA-Factory 0.9.5 and axolotl
0.21.0 load. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """Two of {prompt, completion, messages, label}: the chosen response, label true, then the rejected one.

    TRL reads prompt and completion, the others messages, the whole conversation.
    """
    return [
        {
            "prompt": pair["prompt"],
            "completion": pair[name],
            "messages": pair["prompt"] + pair[name],
            "label": name == "chosen",
        }
        for name in ("chosen", "rejected")
    ]
