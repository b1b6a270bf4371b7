"""Reward models: one file a layout."""
