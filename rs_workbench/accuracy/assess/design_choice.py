"""choose_design: the design of a sample, from its file or from what the user says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.design.file import read_design
from rs_workbench.accuracy.design.words import unique_names
from rs_workbench.accuracy.sample import Design, DesignKind, Stratum, parse_design
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError, UsageError

NO_DESIGN = "none"


@dataclass(frozen=True)
class MappedClasses:
    """What the whole map holds.

    Attributes
    ----------
    legend : tuple of LegendClass
        Classes.
    pixels : ndarray of int64, shape (K,)
        Pixels of each.
    area_ha : ndarray of float64, shape (K,), or None
        Their area; None where the size of pixels is unknown.
    equal_area : bool
        Whether all pixels cover the same area.
    """

    legend: tuple[LegendClass, ...]
    pixels: NDArray[np.int64]
    area_ha: NDArray[np.float64] | None
    equal_area: bool = True


def choose_design(
    asked: str | None,
    reference_path: str | Path,
    mapped: MappedClasses,
    *,
    stratum: NDArray[np.str_] | None = None,
) -> Design | None:
    """Find the design of a sample.

    Parameters
    ----------
    asked : str, optional
        A kind of design, a file of one, or ``none``; by default the one that lies in the sample's
        file or beside it, if any.
    reference_path : str or Path
        The sample's file.
    mapped : MappedClasses
        The map; its classes are the strata of a design that is named by its kind only.
    stratum : ndarray of str, shape (n,), optional
        Strata that the sample names.

    Returns
    -------
    Design or None
        None where no design is known, or none is wanted.

    Raises
    ------
    UsageError
        If `asked` is neither a kind nor a file.
    AccuracyError
        If the file is no design, or the sizes of the strata are not known.
    """
    if asked is None:
        return read_design(reference_path)
    if asked == NO_DESIGN:
        return None
    if asked in get_args(DesignKind):
        return _of_kind(asked, mapped, stratum)  # type: ignore[arg-type]
    path = Path(asked)
    if not path.is_file():
        raise UsageError(
            f"--design '{asked}' is neither a file nor one of "
            f"{', '.join((*get_args(DesignKind), NO_DESIGN))}"
        )
    return read_design(path) or parse_design(_text(path), f"'{path}'")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AccuracyError(
            f"'{path}' is no design: give the .design.json that  rsw assess design  writes beside "
            "the sample"
        ) from error


def _of_kind(kind: DesignKind, mapped: MappedClasses, stratum: NDArray[np.str_] | None) -> Design:
    area = None if mapped.area_ha is None else float(mapped.area_ha.sum())
    strata: tuple[Stratum, ...] = ()
    if kind in ("stratified", "post_stratified"):
        strata = tuple(_map_strata(mapped))
        _check_names(stratum, strata, kind)
    return Design(
        kind=kind,
        strata=strata,
        n_population=None if kind == "cluster" else int(mapped.pixels.sum()),
        area_ha=area,
        equal_area=mapped.equal_area,
        notes=("named by the user; strata and sizes from the map",),
    )


def _map_strata(mapped: MappedClasses) -> list[Stratum]:
    areas: Sequence[float | None] = [None] * len(mapped.legend)
    if mapped.area_ha is not None:
        areas = mapped.area_ha.tolist()
    names = unique_names(mapped.legend, "en")
    return [
        Stratum(name=names[c.value], n_population=n, area_ha=ha, classes=(c.value,))
        for c, n, ha in zip(mapped.legend, mapped.pixels.tolist(), areas, strict=True)
        if n
    ]


def _check_names(
    stratum: NDArray[np.str_] | None, strata: Sequence[Stratum], kind: DesignKind
) -> None:
    """See that strata that the sample names are classes of the map, whose sizes are known."""
    known = {s.name for s in strata}
    strange = [] if stratum is None else sorted(set(stratum.tolist()) - known)
    if strange:
        raise AccuracyError(
            f"the sample names strata {strange[:5]}, which are no classes of the map, so that "
            f"their sizes are unknown: give the design's file with --design, or drop the column "
            f"stratum to take the classes of the map as strata ({kind})"
        )
