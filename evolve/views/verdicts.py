"""What became of a rewrite, as its row in the pool says."""

from __future__ import annotations

from typing import Any

from prompts.reasons import KEPT

TOO_LONG_FOR_REWARD = "too_long_for_reward"
MAYBE_KEPT = (KEPT, TOO_LONG_FOR_REWARD)  # the verdicts with which a rewrite may be in X'


def accepted(row: dict[str, Any], reward_limit: int | None) -> bool:
    """Whether a rewrite's row passes: kept, or turned down for a reward model with less room than the present one."""
    if row["verdict"] != TOO_LONG_FOR_REWARD:
        return bool(row["verdict"] == KEPT)
    return reward_limit is None or reward_limit > row["reward_limit"]
