"""Reward models: loading, scoring, checks, and several of them together."""

from rewards.checks import trust_check
from rewards.combination import combine
from rewards.golden import golden_check
from rewards.lines import score_lines
from rewards.loading import context, load
from rewards.protocol import Group, RewardModel, Score

__all__ = [
    "Group",
    "RewardModel",
    "Score",
    "combine",
    "context",
    "golden_check",
    "load",
    "score_lines",
    "trust_check",
]
