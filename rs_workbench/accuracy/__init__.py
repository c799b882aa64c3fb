"""How good a map is: counts, scores, design-based estimates, comparison.

Framework-free: the same functions serve the command line, Keras callbacks, PyTorch loops and point
samples. Matrices have rows for the map and columns for the reference.
"""

from rs_workbench.accuracy.allocation import allocate
from rs_workbench.accuracy.area import design_estimate, stratified_estimate
from rs_workbench.accuracy.blocks import block_scores
from rs_workbench.accuracy.bootstrap import (
    bootstrap,
    bootstrap_blocks,
    bootstrap_difference,
    bootstrap_sample,
)
from rs_workbench.accuracy.boundary import boundary_f, boundary_iou, score_boundaries
from rs_workbench.accuracy.compare import (
    adjust_p_values,
    agreement_table,
    bowker,
    cochran_q,
    compare_maps,
    mcnemar,
    paired_difference,
    stuart_maxwell,
)
from rs_workbench.accuracy.confusion import Confusion, confusion_matrix
from rs_workbench.accuracy.disagreement import disagreement
from rs_workbench.accuracy.estimates import AccuracyEstimate, AreaEstimate, Estimate
from rs_workbench.accuracy.expected_errors import expected_errors
from rs_workbench.accuracy.intervals import binomial_interval
from rs_workbench.accuracy.kappa import (
    cohen_kappa,
    compare_kappas,
    conditional_kappa,
    tau,
    weighted_kappa,
)
from rs_workbench.accuracy.ratios import ratio_estimate, regression_estimate
from rs_workbench.accuracy.sample import Design, Sample, Stratum, make_sample, parse_design
from rs_workbench.accuracy.sample_size import sample_size
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
    "adjust_p_values",
    "agreement_table",
    "allocate",
    "binomial_interval",
    "block_scores",
    "bootstrap",
    "bootstrap_blocks",
    "bootstrap_difference",
    "bootstrap_sample",
    "boundary_f",
    "boundary_iou",
    "bowker",
    "cochran_q",
    "cohen_kappa",
    "compare_kappas",
    "compare_maps",
    "conditional_kappa",
    "confusion_matrix",
    "design_estimate",
    "disagreement",
    "expected_errors",
    "f1_score",
    "frequency_weighted_iou",
    "iou",
    "make_sample",
    "matthews_correlation",
    "mcnemar",
    "mean_iou",
    "overall_accuracy",
    "paired_difference",
    "parse_design",
    "producers_accuracy",
    "ratio_estimate",
    "regression_estimate",
    "sample_size",
    "score_boundaries",
    "stratified_estimate",
    "stuart_maxwell",
    "tau",
    "users_accuracy",
    "weighted_kappa",
]
