"""How good a map is: counts, scores, design-based estimates, comparison.

Framework-free: the same functions serve the command line, Keras callbacks, PyTorch loops and point
samples. Matrices have rows for the map and columns for the reference.
"""

from rs_workbench.accuracy.area import design_estimate, stratified_estimate
from rs_workbench.accuracy.confusion import Confusion, confusion_matrix
from rs_workbench.accuracy.disagreement import disagreement
from rs_workbench.accuracy.estimates import AccuracyEstimate, AreaEstimate, Estimate
from rs_workbench.accuracy.intervals import binomial_interval
from rs_workbench.accuracy.ratios import ratio_estimate, regression_estimate
from rs_workbench.accuracy.sample import Design, Sample, Stratum, make_sample, parse_design
from rs_workbench.accuracy.scores import (
    f1_score,
    frequency_weighted_iou,
    iou,
    matthews_correlation,
    mean_iou,
    overall_accuracy,
    producers_accuracy,
    users_accuracy,
)

__all__ = [
    "AccuracyEstimate",
    "AreaEstimate",
    "Confusion",
    "Design",
    "Estimate",
    "Sample",
    "Stratum",
    "binomial_interval",
    "confusion_matrix",
    "design_estimate",
    "disagreement",
    "f1_score",
    "frequency_weighted_iou",
    "iou",
    "make_sample",
    "matthews_correlation",
    "mean_iou",
    "overall_accuracy",
    "parse_design",
    "producers_accuracy",
    "ratio_estimate",
    "regression_estimate",
    "stratified_estimate",
    "users_accuracy",
]
