"""locate_ranks, locate_grid: from numbers drawn to pixels of a class map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.design.raster_codes import Buffer, rows_of
from rs_workbench.accuracy.design.raster_strata import MapStrata


@dataclass(frozen=True)
class Units:
    """Pixels of a map, one row each: position, index of the stratum, class on the map."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    stratum: NDArray[np.int64]
    value: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def reordered(self, order: NDArray[np.int64]) -> Units:
        """Give the same units in another order."""
        return Units(self.row[order], self.col[order], self.stratum[order], self.value[order])


def locate_ranks(strata: MapStrata, ranks: Sequence[NDArray[np.int64]]) -> Units:
    """Find pixels by their rank within their stratum, counted along rows from the top left.

    Parameters
    ----------
    strata : MapStrata
        What `count_strata` returned.
    ranks : sequence of ndarray of int64
        For each stratum the ranks wanted, ascending, from 0.

    Returns
    -------
    Units
        By row, then stratum, then column. Only rows with such a pixel are read.

    Raises
    ------
    SceneError
        If the map cannot be read.
    """
    return _locate(strata, ranks, strata.row_pixels, _table(strata))


def locate_anywhere(strata: MapStrata, ranks: NDArray[np.int64]) -> Units:
    """Find pixels by their rank among all that have data, along rows from the top left.

    Parameters
    ----------
    strata : MapStrata
        What `count_strata` returned.
    ranks : ndarray of int64
        Ranks wanted, ascending, from 0.

    Returns
    -------
    Units
        In the order of `ranks`.

    Raises
    ------
    SceneError
        If the map cannot be read.
    """
    anywhere = np.where(_table(strata) >= 0, 0, -1)
    return _locate(strata, [ranks], strata.row_pixels.sum(axis=1, keepdims=True), anywhere)


def _locate(
    strata: MapStrata,
    ranks: Sequence[NDArray[np.int64]],
    row_pixels: NDArray[np.int64],
    group_of: NDArray[np.int64],
) -> Units:
    """Find pixels by rank within groups that `group_of` gives for each code."""
    above = np.cumsum(row_pixels, axis=0)
    rows = [np.searchsorted(above[:, h], r, side="right") for h, r in enumerate(ranks)]
    found = []
    for row, codes in rows_of(strata.reader, np.unique(np.concatenate(rows))):
        own = group_of[codes]
        for h, (at, rank) in enumerate(zip(rows, ranks, strict=True)):
            here = rank[slice(*np.searchsorted(at, [row, row + 1]))]
            if here.size:
                before = above[row, h] - row_pixels[row, h]
                cols = np.flatnonzero(own == h)[here - before]
                found.append(_rows(strata, row, cols, codes[cols]))
    return _joined(found, _table(strata))


def locate_grid(strata: MapStrata, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Units:
    """Find the pixels with data where chosen rows and columns cross.

    Parameters
    ----------
    strata : MapStrata
        What `count_strata` returned.
    rows, cols : ndarray of int64
        Ascending.

    Returns
    -------
    Units
        By row, then column.

    Raises
    ------
    SceneError
        If the map cannot be read.
    """
    found = []
    for row, codes in rows_of(strata.reader, rows):
        here = cols[codes[cols] != strata.reader.codes.absent]
        found.append(_rows(strata, row, here, codes[here]))
    return _joined(found, _table(strata))


def _table(strata: MapStrata) -> NDArray[np.int64]:
    """Index of the stratum of each code; -1 where it has none."""
    codes = strata.reader.codes
    table = np.full(codes.absent + 1, -1, np.int64)
    for index, (value, within) in enumerate(strata.keys):
        if within == 0:
            table[value - codes.low] = index
        else:
            layer = codes.buffers.index(Buffer(value, within)) + 1
            table[layer * codes.size : (layer + 1) * codes.size] = index
    return table


def _rows(
    strata: MapStrata, row: int, cols: NDArray[np.int64], codes: NDArray[np.int32]
) -> NDArray[np.int64]:
    value = strata.reader.codes.value(codes)
    return np.stack([np.full(cols.size, row), cols, codes, value]).astype(np.int64)


def _joined(found: Sequence[NDArray[np.int64]], table: NDArray[np.int64]) -> Units:
    row, col, code, value = np.concatenate([np.zeros((4, 0), np.int64), *found], axis=1)
    return Units(row=row, col=col, stratum=table[code], value=value)
