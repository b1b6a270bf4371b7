"""Reward models, annotation and pair rules."""

from rewards.loading import context, load
from rewards.protocol import Group, RewardModel, Score

__all__ = ["Group", "RewardModel", "Score", "context", "load"]
