"""AssessOptions: everything a run of `rsw assess` can be asked for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rs_workbench.accuracy.estimates import IntervalKind
from rs_workbench.accuracy.reference.label_values import LabelValues, Value
from rs_workbench.errors import UsageError


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


def check_options(options: AssessOptions, reference_name: str, *, vector: bool) -> None:
    """Refuse options that are out of range, or would do nothing with this reference.

    Parameters
    ----------
    options : AssessOptions
        What was asked for.
    reference_name : str
        Name of the reference, for messages.
    vector : bool
        Whether it is made of points or polygons.

    Raises
    ------
    UsageError
        If there is one.
    """
    if not 0.5 <= options.confidence < 1:
        raise UsageError(f"--confidence must be from 0.5 to below 1: got {options.confidence}")
    tolerance = options.tolerance_m
    if tolerance is not None and not (0 < tolerance < math.inf):
        raise UsageError(f"--tolerance must be a length above 0 m: got {tolerance}")
    kind = "points or polygons" if vector else "a raster"
    for flag in _idle_in_table(options) if vector else _idle_in_raster(options):
        raise UsageError(
            f"{flag} does nothing with the reference '{reference_name}', which is {kind}: "
            "leave it out"
        )
    if tolerance is not None and not options.boundary:
        raise UsageError("--tolerance is that of borders: add --boundary, or leave it out")


def _idle_in_table(options: AssessOptions) -> list[str]:
    used = {
        "--boundary": options.boundary,
        "--tolerance": options.tolerance_m is not None,
        "--block": options.block is not None,
        "--resample": options.resample is not None and options.compare is None,
    }
    return [flag for flag, given in used.items() if given]


def _idle_in_raster(options: AssessOptions) -> list[str]:
    values = options.values
    used = {
        "--column": options.column,
        "--layer": options.layer,
        "--crs": options.crs,
        "--accept-alternate": options.accept_alternate,
        "--fpc": options.fpc,
        "--interval": options.interval != "wald",
    }
    found = [flag for flag, given in used.items() if given]
    for flag, texts in (
        ("--unlabelled", values.unlabelled),
        ("--out-of-scope", values.out_of_scope),
        ("--recode", tuple(values.recode)),
    ):
        found += [f"{flag} '{text}'" for text in _words(texts)]
    return found


def _words(values: tuple[Value, ...]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
