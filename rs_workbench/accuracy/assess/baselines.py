"""Other maps beside the assessed one, scored on the same pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.bootstrap import bootstrap_difference
from rs_workbench.accuracy.estimates import Estimate
from rs_workbench.accuracy.result import Baseline
from rs_workbench.accuracy.scores import iou, overall_accuracy

MIN_PARTS = 10
"""Blocks or polygons below which no interval is resampled from them."""


def enough(parts: NDArray[np.int64]) -> bool:
    """Tell whether an interval can be resampled from parts.

    Parameters
    ----------
    parts : ndarray of int64, shape (n, K, K)
        Confusion of each block or polygon.

    Returns
    -------
    bool
        Whether at least `MIN_PARTS` of them hold anything.
    """
    return int(np.count_nonzero(parts.any(axis=(1, 2)))) >= MIN_PARTS


def beside(
    name: str,
    pair: tuple[NDArray[np.int64], NDArray[np.int64]],
    options: AssessOptions,
    *,
    unit: str = "blocks",
) -> Baseline:
    """Score another map, and the difference to this one over the parts that both cover.

    Parameters
    ----------
    name : str
        Name of the other map.
    pair : tuple of ndarray of int64, shape (n, K, K)
        Confusion of each part, of this map and of the other. That of the other may have a last
        row and column more, for pixels where it has no class: there it is wrong.
    options : AssessOptions
        Draws, seed and level of the bootstrap.
    unit : str
        What the parts are.

    Returns
    -------
    Baseline
        With an interval of the difference where there are enough parts.
    """
    mine, theirs = pair
    k, more = mine.shape[-1], theirs.shape[-1] - mine.shape[-1]
    total = theirs.sum(axis=0)
    difference, test = None, ""
    if enough(mine):
        seen = mine.any(axis=(1, 2))
        found = bootstrap_difference(
            overall_accuracy,
            (np.pad(mine[seen], ((0, 0), (0, more), (0, more))), theirs[seen]),
            n_draws=options.draws,
            seed=options.seed,
            confidence=options.confidence,
        )
        difference = Estimate(
            found.value, found.standard_error, found.low, found.high, found.n_units
        )
        test = f"bootstrap of {found.n_units} {unit}"
    return Baseline(
        name,
        total[:k, :k],
        overall_accuracy(total),
        float(np.nanmean(iou(total)[:k])),
        difference=difference,
        test=test,
    )


def majority(matrices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Score, as a baseline, a map that says the commonest class of the reference everywhere.

    Parameters
    ----------
    matrices : ndarray of int64, shape (n, K, K)
        Rows map, columns reference.

    Returns
    -------
    ndarray of int64, shape (n, K, K)
        Those of the baseline.

    Examples
    --------
    >>> majority(np.array([[[3, 1], [2, 4]]])).tolist()
    [[[5, 5], [0, 0]]]
    """
    columns = matrices.sum(axis=-2)
    flat = np.zeros_like(matrices)
    flat[:, columns.sum(axis=0).argmax()] = columns
    return flat


def without_class(baselines: Sequence[Baseline], pixels: int) -> Iterator[str]:
    """Tell of maps that have no class on some of the compared pixels.

    Parameters
    ----------
    baselines : sequence of Baseline
        Other maps, scored on pixels.
    pixels : int
        Compared pixels.

    Yields
    ------
    str
        One sentence for each such map.
    """
    for other in baselines:
        missing = pixels - int(other.matrix.sum())
        if missing:
            yield (
                f"'{other.name}' has no class on {missing:,} of the {pixels:,} compared pixels, "
                "where it counts as wrong"
            )
