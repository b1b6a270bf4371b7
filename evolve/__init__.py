"""The program: grow a preference dataset by self-play, crash-safe, and select from it."""

__version__ = "0.1.0"
