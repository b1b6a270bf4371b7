"""Measurements; README.md says what of. `python -m benchmarks.NAME` from the root of a checkout."""
