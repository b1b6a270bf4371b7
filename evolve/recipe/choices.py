"""The choices that a recipe and the command line offer, by name. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

Algorithm = Literal["evolve-then-select", "select-then-evolve"]
MetricName = Literal["map", "eva", "implicit", "uniform"]
PairRule = Literal["max_min", "max_random", "mu_minus_2sigma", "length_matched"]
GuardName = Literal["degenerate", "paper"]
RankedSet = Literal["evolved", "combined"]
PolicyDtype = Literal["auto", "float32", "bfloat16", "float16"]
RewardDtype = Literal["auto", "float32", "bfloat16"]
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"  # of a recipe or a run: it names a folder under runs/
LAST_ITERATION = 999_999_999  # nine digits, as folders are read; the column is of 32 bits
ExportForm = Literal["trl", "openrlhf", "llamafactory", "responses"]
