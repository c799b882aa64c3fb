"""Which units a sample takes: seeded, without replacement, knowing no raster.

A unit is drawn by its rank within its stratum, so that the draw does not depend on how the map is
read. Each stratum has a random stream of its own: what is drawn in one does not depend on the
others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import AccuracyError

_ORDER_STREAM, _GRID_STREAM = 1, 2


def draw_ranks(
    n_drawn: Sequence[int], n_population: Sequence[int], *, seed: int
) -> list[NDArray[np.int64]]:
    """Draw units of each stratum, every one with the same probability.

    Parameters
    ----------
    n_drawn, n_population : sequence of int, length H
        Units to draw and units that there are.
    seed : int
        The same seed gives the same units, with the same version of NumPy.

    Returns
    -------
    list of ndarray of int64
        For each stratum the ranks drawn, ascending, from 0.

    Raises
    ------
    AccuracyError
        If more units are asked for than there are.

    Examples
    --------
    >>> [len(ranks) for ranks in draw_ranks([2, 3], [10, 3], seed=0)]
    [2, 3]
    """
    drawn = []
    for stratum, (n, size) in enumerate(zip(n_drawn, n_population, strict=True)):
        if n > size:
            raise AccuracyError(
                f"stratum {stratum + 1} has {size} units, so {n} cannot be drawn: take fewer"
            )
        generator = np.random.default_rng([seed, 0, stratum])
        ranks = generator.choice(size, int(n), replace=False, shuffle=False)
        drawn.append(np.sort(ranks).astype(np.int64))
    return drawn


def draw_grid(
    shape: tuple[int, int],
    n: int,
    *,
    n_population: int,
    pixel_size: tuple[float, float] | None = None,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay a grid with a random start over a map: square on the ground, one point for each cell.

    Parameters
    ----------
    shape : tuple of int, (H, W)
        Size of the map in pixels.
    n : int
        Units wanted; the grid meets about as many pixels with data.
    n_population : int
        Pixels with data.
    pixel_size : tuple of float, optional
        Height and width of a pixel on the ground, in any unit; by default equal.
    seed : int
        The same seed gives the same grid.

    Returns
    -------
    rows, cols : ndarray of int64
        Ascending. Each pixel has the same probability, ``1 / (row step x col step)``, which
        `grid_steps` gives.

    Raises
    ------
    AccuracyError
        If `n` is more than `n_population`.
    """
    steps = grid_steps(shape, n, n_population=n_population, pixel_size=pixel_size)
    starts = np.random.default_rng([seed, _GRID_STREAM]).random(2) * steps
    rows, cols = (
        np.arange(start, size, step).astype(np.int64)
        for start, size, step in zip(starts, shape, steps, strict=True)
    )
    return rows, cols


def grid_steps(
    shape: tuple[int, int],
    n: int,
    *,
    n_population: int,
    pixel_size: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Give the distance of a grid's rows and of its columns.

    Parameters
    ----------
    shape : tuple of int, (H, W)
        Size of the map in pixels.
    n, n_population : int
        Units wanted and pixels with data.
    pixel_size : tuple of float, optional
        Height and width of a pixel on the ground; by default equal.

    Returns
    -------
    tuple of float
        Row step and column step, px; at least 1, not rounded, so that every pixel is as likely.

    Raises
    ------
    AccuracyError
        If `n` is not from 1 to `n_population`.

    Examples
    --------
    >>> grid_steps((100, 100), 100, n_population=10_000)
    (10.0, 10.0)
    """
    if not 1 <= n <= n_population:
        raise AccuracyError(
            f"a grid of {n} points does not fit {n_population} pixels with data: take from 1 to "
            f"{n_population}"
        )
    cell = n_population / n
    tall, wide = pixel_size or (1.0, 1.0)
    height, width = shape
    square = math.sqrt(cell * wide / tall)
    row_step = min(max(1.0, cell / width, square), cell, float(height))
    return row_step, cell / row_step


def shuffled(n: int, *, seed: int) -> NDArray[np.int64]:
    """Give a random order, so that ids tell nothing and the first units are a random part.

    Parameters
    ----------
    n : int
        Number of units.
    seed : int
        The same seed gives the same order.

    Returns
    -------
    ndarray of int64, shape (n,)
        A permutation.
    """
    return np.random.default_rng([seed, _ORDER_STREAM]).permutation(n)
