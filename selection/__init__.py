"""Metrics of data quality, the guard against degenerate pairs, and ways to select. numpy in, numpy out."""

from selection.guard import near_identical
from selection.metrics import INPUTS, METRICS, Metric, Scale, metric_of, scale_of, score
from selection.order import best_first
from selection.top_k import count_of, ranked, top_k

__all__ = [
    "INPUTS",
    "METRICS",
    "Metric",
    "Scale",
    "best_first",
    "count_of",
    "metric_of",
    "near_identical",
    "ranked",
    "scale_of",
    "score",
    "top_k",
]
