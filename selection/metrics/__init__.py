"""Metrics of data quality: functions of arrays that declare their inputs, and the table that names them."""

from selection.metrics.inputs import INPUTS
from selection.metrics.scale import Scale, scale_of
from selection.metrics.table import METRICS, WEIGHTS, Metric, metric_of, score

__all__ = ["INPUTS", "METRICS", "WEIGHTS", "Metric", "Scale", "metric_of", "scale_of", "score"]
