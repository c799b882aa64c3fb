"""AssessOptions: everything a run of `rsw assess` can be asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rs_workbench.accuracy.estimates import IntervalKind
from rs_workbench.accuracy.reference.label_values import LabelValues


@dataclass(frozen=True)
class AssessOptions:
    """How a map is assessed.

    Attributes
    ----------
    classes : str or None
        Legend, as ``1=water,2=ice``; by default the map's own.
    values : LabelValues
        What values of reference and map mean.
    column, layer, crs : str or None
        Column of classes, layer, and coordinate system of a vector reference.
    accept_alternate : bool
        Count a point as right, too, where the map says its second acceptable label.
    resample : str or None
        How to bring a raster reference to the map's grid.
    design : str or None
        Kind of the sampling design, its file, or ``none``.
    confidence : float
        Level of all intervals.
    interval : {'wald', 'wilson', 'logit'}
        Kind of the design-based intervals.
    fpc : bool
        Apply the finite population correction.
    compare : str or None
        A second map, to stand beside the first.
    boundary : bool
        Also score borders (raster references).
    tolerance_m : float or None
        How far a border may lie off, m.
    block : int or None
        Side of a spatial block, px (raster references); by default the map is cut into about a
        hundred.
    draws, seed : int
        Draws of the bootstrap, and their seed.
    training : tuple of str
        Files that the model was trained on.
    allow_training : bool
        Go on where the reference is training data; the report then says so.
    """

    classes: str | None = None
    values: LabelValues = field(default_factory=LabelValues)
    column: str | None = None
    layer: str | None = None
    crs: str | None = None
    accept_alternate: bool = False
    resample: str | None = None
    design: str | None = None
    confidence: float = 0.95
    interval: IntervalKind = "wald"
    fpc: bool = False
    compare: str | None = None
    boundary: bool = False
    tolerance_m: float | None = None
    block: int | None = None
    draws: int = 2000
    seed: int = 0
    training: tuple[str, ...] = ()
    allow_training: bool = False

    def changed(self) -> dict[str, Any]:
        """Give the options that differ from their defaults, for the report."""
        default = asdict(AssessOptions())
        mine = asdict(self)
        found = {f.name: mine[f.name] for f in fields(self) if mine[f.name] != default[f.name]}
        values = found.pop("values", {})
        found |= {k: v for k, v in values.items() if v}
        return {k: Path(v).name if k == "compare" else v for k, v in found.items()}
