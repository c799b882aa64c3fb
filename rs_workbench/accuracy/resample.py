"""Resampling of units within strata, in bounded memory: the engine of `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

Floats = NDArray[np.float64]
Total = Callable[[Floats], float]
"""Turns the sum of all units (C,) into one number, NaN where it is undefined."""

_BYTES = 32 << 20  # of weights and sums held at a time


@dataclass(frozen=True)
class Units:
    """What is drawn: units, whole clusters or blocks.

    Attributes
    ----------
    parts : ndarray of float64, shape (m, C)
        What each adds to the sum; only cells that occur.
    cells : ndarray of intp, shape (C,)
        Where these cells stand in the sum.
    n_cells : int
        Length of the sum.
    times : ndarray of int64, shape (m,)
        How many equal units a row stands for.
    stratum : ndarray of intp, shape (m,)
        Stratum of each row, 0 to H - 1. One that holds a single unit, which is all there is in the
        population, never varies.
    """

    parts: Floats
    cells: NDArray[np.intp]
    n_cells: int
    times: NDArray[np.int64]
    stratum: NDArray[np.intp]

    @property
    def n_units(self) -> int:
        """Units, clusters or blocks in all."""
        return int(self.times.sum())

    def spell_out(self, sums: Floats) -> Floats:
        """Put sums of the cells that occur in their places: (C,) to (n_cells,)."""
        full = np.zeros(self.n_cells)
        full[self.cells] = sums
        return full


def make_units(
    parts: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Units:
    """Bring units together for drawing.

    Parameters
    ----------
    parts : array_like of float, shape (n, C)
        What each unit adds to the sum.
    strata, clusters : array_like, shape (n,), optional
        Stratum and cluster of each unit; names are compared as text.

    Returns
    -------
    Units
        Clusters summed up.

    Raises
    ------
    AccuracyError
        If the columns differ in length, a cluster lies in two strata, or a stratum has fewer
        than two units (clusters) to draw from.
    """
    cells = np.asarray(parts, np.float64)
    columns = [_codes(column, len(cells)) for column in (strata, clusters)]
    (names, stratum), (cluster_names, cluster) = columns
    if clusters is not None:
        stratum = _stratum_of_clusters(stratum, cluster, cluster_names)
        summed = np.zeros((len(cluster_names), cells.shape[1]))
        np.add.at(summed, cluster, cells)
        cells = summed
    few = np.flatnonzero(np.bincount(stratum, minlength=max(1, len(names))) < 2)
    if few.size:
        what = "units" if clusters is None else "clusters"
        where = f"stratum {names[few[0]]!r}" if strata is not None else "the sample"
        raise AccuracyError(
            f"resampling needs at least two {what} to draw from, but {where} has "
            f"{np.count_nonzero(stratum == few[0])}: merge it with another or add {what}"
        )
    used = np.flatnonzero(cells.any(axis=0))
    return Units(cells[:, used], used, cells.shape[1], np.ones(len(cells), np.int64), stratum)


def _codes(column: ArrayLike | None, n: int) -> tuple[Sequence[str], NDArray[np.intp]]:
    if column is None:
        return [], np.zeros(n, np.intp)
    given = np.asarray(column)
    if given.shape != (n,):
        raise AccuracyError(
            f"strata and clusters need one entry for each of the {n} units: got shape "
            f"{given.shape}"
        )
    names, codes = np.unique(given.astype(str), return_inverse=True)
    return names.tolist(), codes.astype(np.intp)


def _stratum_of_clusters(
    stratum: NDArray[np.intp], cluster: NDArray[np.intp], names: Sequence[str]
) -> NDArray[np.intp]:
    found = np.zeros(len(names), np.intp)
    found[cluster] = stratum
    wrong = np.flatnonzero(found[cluster] != stratum)
    if wrong.size:
        raise AccuracyError(
            f"a cluster must lie in one stratum, but cluster {names[cluster[wrong[0]]]!r} has "
            "units in several: split it, or stratify by something that clusters do not cross"
        )
    return found


def draw_totals(
    units: Units, n_draws: int, rng: np.random.Generator, *, rescale: bool
) -> Iterator[Floats]:
    """Draw units with replacement within strata, and sum them up.

    Parameters
    ----------
    units : Units
        What to draw from.
    n_draws : int
        How often.
    rng : numpy.random.Generator
        Source of chance.
    rescale : bool
        Draw one unit fewer than a stratum has, each weighted up for it.

    Yields
    ------
    ndarray of float64, shape (n_cells,)
        Sum of a draw.
    """
    chunk = max(1, _BYTES // (8 * sum(units.parts.shape)))
    for start in range(0, n_draws, chunk):
        n = min(chunk, n_draws - start)
        weights = np.empty((n, len(units.times)))
        for stratum in range(units.stratum.max() + 1):
            here = units.stratum == stratum
            times = units.times[here]
            size = int(times.sum())
            drawn = size - 1 if rescale and size > 1 else size
            weights[:, here] = rng.multinomial(drawn, times / size, n) * (size / drawn)
        for sums in weights @ units.parts:
            yield units.spell_out(sums)


def acceleration(units: Units, total: Total) -> float:
    """Measure how the spread of a statistic changes with its value, by the jackknife.

    Parameters
    ----------
    units : Units
        The sample.
    total : callable
        The statistic.

    Returns
    -------
    float
        The constant a of the BCa interval; 0 for a statistic that no unit moves.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
       (1997), section 5.3; with strata, each unit's influence is divided by its stratum's size.
    """
    everything = units.times @ units.parts
    squares = cubes = 0.0
    for stratum in range(units.stratum.max() + 1):
        here = np.flatnonzero(units.stratum == stratum)
        times = units.times[here]
        n, whole = int(times.sum()), times @ units.parts[here]
        if n == 1:
            continue
        rest = everything - whole
        without = np.array(
            [
                total(units.spell_out(rest + (whole - units.parts[i]) * n / (n - 1)))
                for i in here.tolist()
            ]
        )
        influence = (n - 1) * (times @ without / n - without) / n
        squares += float(times @ influence**2)
        cubes += float(times @ influence**3)
    return cubes / (6 * squares**1.5) if squares != 0 else 0.0
