"""The factory of the embedded models: a small world, the training of both models on it, and how they are measured."""

from pathlib import Path

EMBEDDED = Path(__file__).parents[1] / "embedded"  # what the factory writes and measures
