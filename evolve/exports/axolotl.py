"""axolotl 0.21.0 and 0.19.0: messages that reach TRL as they are, by `skip_prepare_dataset`; its own chat templates put
a second BOS in front. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, lists of messages."""
    return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]
