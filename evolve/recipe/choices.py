"""The choices that a recipe and the command line offer, by name. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

Algorithm = Literal["evolve-then-select", "select-then-evolve", "select-only"]
MetricName = Literal[
    "map", "eva", "implicit", "uniform", "m-plus", "m-1", "map-signed", "uni-dpo", "dpo-gap",
    "gap", "maxmean", "var", "dts", "mean", "mean-inv", "pvar", "delta-ucb",
]  # fmt: skip
ImplicitForm = Literal["simpo", "dpo"]
GrowingX = Literal["fixed", "grow"]
Mode = Literal["top", "threshold", "sample"]
Balance = Literal["none", "strategy", "parent"]
LengthTrend = Literal["keep", "remove"]
PairRule = Literal["max_min", "max_random", "mu_minus_2sigma", "length_matched", "given"]
GuardName = Literal["degenerate", "paper", "strict"]
GuardCheck = Literal["empty", "cut_off", "identical", "tie", "near_identical", "refusal", "truncation"]
RankedSet = Literal["evolved", "combined"]
PolicyDtype = Literal["auto", "float32", "bfloat16", "float16"]
HeadDtype = Literal["float32", "float16"]
Combination = Literal["mean", "min", "penalized"]
Devices = Literal["one", "all"]
RewardDtype = Literal["auto", "float32", "bfloat16"]
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"  # of a recipe or a run: it names a folder under runs/
LAST_ITERATION = 999_999_999  # nine digits, as folders are read; the column is of 32 bits
ExportForm = Literal[
    "trl", "conversation", "openrlhf", "llamafactory", "swift", "nemo-rl", "kto", "text", "axolotl", "responses"
]
