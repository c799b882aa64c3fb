"""Sample and Design: which units were looked at, what was seen, and how they were chosen.

The design travels with the sample, because the same counts mean different things under different
designs: an estimator that does not fit the design is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rs_workbench.errors import AccuracyError

DesignKind = Literal["simple_random", "systematic", "stratified", "post_stratified", "cluster"]

_NEEDS_STRATA = ("stratified", "post_stratified")
_HAS_NO_STRATA = ("simple_random", "systematic")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stratum(_Strict):
    """One part of the population, sampled by itself.

    `n_population` counts units: pixels, or clusters in a cluster design. `classes` are the values
    of the map that make up the stratum, empty where it is something else, such as a buffer.
    """

    name: str = Field(min_length=1)
    n_population: int = Field(gt=0)
    n_drawn: int | None = Field(default=None, ge=0)
    area_ha: float | None = Field(default=None, gt=0)
    classes: tuple[int, ...] = ()


class Design(_Strict):
    """How the units of a sample were chosen.

    `n_population` is the number of units in the whole population, None where it is unknown; then
    there is no finite population correction. `area_ha` is the area of the population.
    """

    schema_version: Literal[1] = 1
    kind: DesignKind
    strata: tuple[Stratum, ...] = ()
    unit: str = "pixel"
    n_population: int | None = Field(default=None, gt=0)
    area_ha: float | None = Field(default=None, gt=0)
    equal_area: bool = Field(default=True, description="every unit covers the same area")
    seed: int | None = None
    allocation: str | None = None
    map: str | None = Field(default=None, description="name of the map the sample was drawn from")
    map_sha256: str | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _strata_fit(self) -> Design:
        names = [s.name for s in self.strata]
        if len(set(names)) != len(names):
            raise ValueError(f"strata must differ in name: got {names}")
        if self.kind in _NEEDS_STRATA and not self.strata:
            raise ValueError(f"a {self.kind} design needs its strata with their sizes: got none")
        if self.kind in _HAS_NO_STRATA and self.strata:
            raise ValueError(
                f"a {self.kind} design has no strata: got {names}; say stratified (drawn within "
                "strata) or post_stratified (drawn from the whole)"
            )
        return self


@dataclass(frozen=True)
class Sample:
    """Units that were looked at, one row each.

    Attributes
    ----------
    map_class : ndarray of intp, shape (n,)
        Class on the map, 0 to K - 1.
    reference : ndarray of intp, shape (n,)
        Class in truth, 0 to K - 1.
    n_classes : int
        K.
    stratum : ndarray of str, shape (n,), or None
        Name of the stratum; None where the design has none.
    weight : ndarray of float64, shape (n,), or None
        Units of the population that each one stands for, where they are not N_h / n_h; where
        clusters were drawn from strata, those of its cluster that each one stands for.
    size : ndarray of float64, shape (n,), or None
        Area of each unit, ha, where units differ in it.
    cluster : ndarray of str, shape (n,), or None
        Name of the cluster (polygon, block) that each unit belongs to.
    beyond : ndarray of bool, shape (n,), or None
        Units that were looked at and are no part of what is assessed: out of scope, or without
        data on the map. They tell how large that part is; their classes mean nothing.
    """

    map_class: NDArray[np.intp]
    reference: NDArray[np.intp]
    n_classes: int
    stratum: NDArray[np.str_] | None = None
    weight: NDArray[np.float64] | None = None
    size: NDArray[np.float64] | None = None
    cluster: NDArray[np.str_] | None = None
    beyond: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.map_class)


def make_sample(
    map_class: ArrayLike,
    reference: ArrayLike,
    n_classes: int,
    *,
    stratum: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    size: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    beyond: ArrayLike | None = None,
) -> Sample:
    """Check the columns of a sample and bring them to their types.

    Parameters
    ----------
    map_class, reference : array_like of int, shape (n,)
        Classes from 0 to `n_classes` - 1.
    n_classes : int
        Number of classes.
    stratum : array_like, shape (n,), optional
        Names or numbers; they are compared as text.
    weight : array_like of float, shape (n,), optional
        Above 0.
    size : array_like of float, shape (n,), optional
        Area of each unit, ha, above 0.
    cluster : array_like, shape (n,), optional
        Names or numbers; they are compared as text.
    beyond : array_like of bool, shape (n,), optional
        Units that are no part of what is assessed. To leave them out of the sample instead would
        take them for unlabelled ones that are like the rest of their stratum.

    Returns
    -------
    Sample
        The columns.

    Raises
    ------
    AccuracyError
        If the columns differ in length, hold other classes, or a weight or size is not above 0.

    Examples
    --------
    >>> len(make_sample([0, 1, 1], [0, 1, 0], 2, stratum=[0, 1, 1]))
    3
    """
    columns = {
        "map_class": _classes("map_class", map_class, n_classes),
        "reference": _classes("reference", reference, n_classes),
        "stratum": _names("stratum", stratum),
        "weight": _positive("weight", weight),
        "size": _positive("size", size),
        "cluster": _names("cluster", cluster),
        "beyond": None if beyond is None else np.asarray(beyond, np.bool_),
    }
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        raise AccuracyError(f"the columns of a sample must be equally long: got {lengths}")
    left_out = 0 if beyond is None else int(np.count_nonzero(beyond))
    if lengths["map_class"] == left_out:
        raise AccuracyError("the sample has no unit with a label: label some units first")
    return Sample(n_classes=n_classes, **columns)  # type: ignore[arg-type]


def _classes(name: str, values: ArrayLike, n_classes: int) -> NDArray[np.intp]:
    column = np.asarray(values)
    if column.ndim != 1 or (column.size and column.dtype.kind not in "biuf"):
        raise AccuracyError(
            f"{name} must be a column of classes from 0 to {n_classes - 1}: got "
            f"{column.dtype} of shape {column.shape}"
        )
    # Written so that NaN is wrong, too.
    wrong = column[~((column >= 0) & (column < n_classes) & (column == np.floor(column)))]
    if wrong.size:
        raise AccuracyError(
            f"{name} must be a column of classes from 0 to {n_classes - 1}: got "
            f"{sorted(set(wrong.tolist()))[:5]}"
        )
    return column.astype(np.intp)


def _names(name: str, values: ArrayLike | None) -> NDArray[np.str_] | None:
    if values is None:
        return None
    column = np.asarray(values)
    empty = [v for v in column.tolist() if v is None or v == "" or v != v]
    if empty:
        raise AccuracyError(
            f"{len(empty)} of {len(column)} units have no {name}: fill the column, or leave these "
            "units out"
        )
    return column.astype(str)


def _positive(name: str, values: ArrayLike | None) -> NDArray[np.float64] | None:
    if values is None:
        return None
    column = np.asarray(values, np.float64)
    wrong = column[~(np.isfinite(column) & (column > 0))]
    if wrong.size:
        raise AccuracyError(f"every {name} must be above 0: got {wrong[:5].tolist()}")
    return column


def parse_design(text: str, source: str) -> Design:
    """Read a design from JSON.

    Parameters
    ----------
    text : str
        As `Design.model_dump_json` writes it.
    source : str
        Where it came from, for messages.

    Returns
    -------
    Design
        The design.

    Raises
    ------
    AccuracyError
        If it cannot be understood.
    """
    try:
        return Design.model_validate_json(text)
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise AccuracyError(
            f"{source} is not a sampling design ({where}: {first['msg']}): draw the sample with "
            "rsw assess design, or name the design with --design"
        ) from error
