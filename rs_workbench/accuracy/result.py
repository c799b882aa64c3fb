"""Assessment: everything one run of `rsw assess` found, for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.estimates import AccuracyEstimate, Estimate
from rs_workbench.accuracy.sample import Design
from rs_workbench.card import LegendClass

if TYPE_CHECKING:
    from rs_workbench.accuracy.blocks import BlockScores
    from rs_workbench.accuracy.bootstrap import BootstrapResult
    from rs_workbench.accuracy.boundary import BoundaryScores

ReferenceKind = Literal["raster", "points", "polygons"]


@dataclass(frozen=True)
class Baseline:
    """A map to compare with: the majority class everywhere, or a second map.

    `difference` is the overall accuracy of the assessed map minus this one's, and `p_value` that
    of `test`; both are None where the reference allows no test.
    """

    name: str
    matrix: NDArray[np.float64]
    overall_accuracy: float
    mean_iou: float
    difference: Estimate | None = None
    p_value: float | None = None
    test: str = ""


@dataclass(frozen=True)
class Assessment:
    """What was compared, how, and what came out.

    Attributes
    ----------
    map_name, reference_name : str
        Names of the files.
    legend : tuple of LegendClass
        Classes, in the order of all matrices.
    kind : {'raster', 'points', 'polygons'}
        What the reference is.
    unit : str
        What `counts` counts: 'pixel', 'point' or 'polygon'.
    counts : ndarray of int64, shape (K, K)
        Rows map, columns reference.
    map_nodata, unlabelled, out_of_scope, outside : int
        Units left out: no class on the map, no label, a label that was declared not of interest,
        or beyond the map.
    mapped_pixels : tuple of int
        Pixels of each class on the whole map.
    mapped_area_ha : tuple of float or None
        Their area; None where pixels have no known size on the ground.
    estimate : AccuracyEstimate or None
        None where no sampling design is known: then the figures describe the units that were
        looked at, not the map.
    design : Design or None
        How the units were chosen.
    blocks : BlockScores or None
        Scores by spatial block; for raster references.
    resampled : dict of str to BootstrapResult
        Overall accuracy (``overall_accuracy``) and mean IoU (``mean_iou``) with intervals from
        whole blocks or polygons drawn anew; empty where there are too few.
    boundary : tuple of BoundaryScores or None
        How well borders lie, by class; for raster references, where asked.
    baselines : tuple of Baseline
        Other maps beside this one.
    grid_policy : str
        How the two grids were brought together, in words.
    training : bool
        The reference is training data: the figures show the fit, not the accuracy.
    held_out : bool
        The units are held-out chips of a training run, never a whole map.
    warnings : tuple of str
        What the reader must know, one sentence each.
    settings : dict
        Options of the run.
    version : str
        Version of the workbench.
    """

    map_name: str
    reference_name: str
    legend: tuple[LegendClass, ...]
    kind: ReferenceKind
    unit: str
    counts: NDArray[np.int64]
    mapped_pixels: tuple[int, ...]
    mapped_area_ha: tuple[float, ...] | None
    map_nodata: int = 0
    unlabelled: int = 0
    out_of_scope: int = 0
    outside: int = 0
    estimate: AccuracyEstimate | None = None
    design: Design | None = None
    blocks: BlockScores | None = None
    resampled: dict[str, BootstrapResult] = field(default_factory=dict)
    boundary: tuple[BoundaryScores, ...] | None = None
    baselines: tuple[Baseline, ...] = ()
    grid_policy: str = "same grid"
    training: bool = False
    held_out: bool = False
    warnings: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    version: str = ""
