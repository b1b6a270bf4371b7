"""Data-quality metrics, the guard against degenerate pairs, top k. numpy in, numpy out."""

from selection.guard import near_identical
from selection.metrics import METRICS, Scale, scale_of, score_pairs
from selection.order import best_first
from selection.top_k import count_of, ranked, top_k

__all__ = ["METRICS", "Scale", "best_first", "count_of", "near_identical", "ranked", "scale_of", "score_pairs", "top_k"]
