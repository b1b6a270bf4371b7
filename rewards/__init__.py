"""Reward models, annotation and pair rules."""
