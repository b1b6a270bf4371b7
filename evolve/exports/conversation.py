"""Whole conversations in chosen and rejected: OpenRLHF 0.11.2, torchtune 0.6.1 (which trains earlier turns too),
LLaMA-Factory v1 (converter `pair`), axolotl (chat_template.argilla_chat), TRL's RewardTrainer. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any


def rows(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """{chosen, rejected}, lists of messages: the prompt is the start of both conversations."""
    return [{name: pair["prompt"] + pair[name] for name in ("chosen", "rejected")}]
