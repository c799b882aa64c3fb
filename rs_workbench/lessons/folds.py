"""Folds: chips dealt into parts of like content, so that each chip is held out once."""

from __future__ import annotations

from math import ceil, comb
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError

DEALS = 4000
"""Random deals from which the most even one is taken."""


class Parts(NamedTuple):
    """Chips of one fold by their index, each in one part.

    Attributes
    ----------
    training, validation, held_out : ndarray of intp
        Learnt from; chosen on; scored on, once.
    """

    training: NDArray[np.intp]
    validation: NDArray[np.intp]
    held_out: NDArray[np.intp]


def deal_folds(counts: ArrayLike, n_folds: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Deal chips to folds so that classes are spread over them as evenly as can be.

    Parameters
    ----------
    counts : array_like of int, shape (N, K)
        Labelled pixels of each chip by class. Labels decide, and never a score.
    n_folds : int
        3 at least: to learn from, to choose on, to score on.
    seed : int
        Of the deals.

    Returns
    -------
    ndarray of intp, shape (N,)
        Fold of each chip. Folds differ by one chip at most in size.

    Raises
    ------
    UsageError
        If there are fewer than 3 folds, or fewer chips than folds.

    Notes
    -----
    Ours. Of 4000 random deals, the one with the least sum over classes of the variance of their
    shares over folds: a rare class, whose share varies most, counts as much as a common one.

    Examples
    --------
    >>> deal_folds([[9, 0], [9, 0], [9, 0], [0, 1], [0, 1], [0, 1]], 3).tolist()
    [2, 1, 0, 0, 1, 2]
    """
    found = np.asarray(counts, np.float64)
    n = len(found)
    if n_folds < 3 or n < n_folds:
        raise UsageError(
            "folds must be at least 3 (to learn from, to choose on, to score on), and no more "
            f"than there are chips: got {n_folds} for {n} chips"
        )
    present = found[:, found.sum(axis=0) > 0]
    shares = present / present.sum(axis=0)
    even = np.arange(n) % n_folds
    rng = np.random.default_rng(seed)
    deals = np.stack([rng.permutation(even) for _ in range(DEALS)])
    one_hot = deals[:, None, :] == np.arange(n_folds)[:, None]  # (D, F, N)
    unevenness = (one_hot.astype(np.float64) @ shares).var(axis=1).sum(axis=1)
    return deals[unevenness.argmin()].astype(np.intp)


def parts_of(folds: NDArray[np.intp], fold: int) -> Parts:
    """Say which chips are learnt from, chosen on and held out in one fold.

    Parameters
    ----------
    folds : ndarray of intp, shape (N,)
        What `deal_folds` gave.
    fold : int
        Which is held out; the next one is for choosing.

    Returns
    -------
    Parts
        Every chip in one part.

    Raises
    ------
    UsageError
        If there is no such fold.

    Examples
    --------
    >>> parts = parts_of(np.array([2, 1, 0, 2]), 2)
    >>> [part.tolist() for part in parts]
    [[1], [2], [0, 3]]
    """
    n_folds = int(folds.max()) + 1
    if not 0 <= fold < n_folds:
        raise UsageError(f"there are folds 0 to {n_folds - 1}: got fold {fold}")
    chosen = folds == (fold + 1) % n_folds
    held_out = folds == fold
    training = ~chosen & ~held_out
    return Parts(np.flatnonzero(training), np.flatnonzero(chosen), np.flatnonzero(held_out))


def leaked_share(n_chips: int, *, copies: int = 4, share: float = 0.3) -> float:
    """Say how much of a validation part was seen, if copies are made before the split.

    Parameters
    ----------
    n_chips : int
        Chips before copying.
    copies : int
        Copies of each afterwards, itself included: identical, mirrored or turned.
    share : float
        Share of all copies that goes to validation, at random, rounded up.

    Returns
    -------
    float
        Expected share of the validation copies of which another copy is in training.

    Examples
    --------
    The course that this lesson follows: 72 tiles, 288 copies, 30 % for validation.

    >>> round(leaked_share(72), 3)
    0.974
    """
    total = n_chips * copies
    others = ceil(share * total) - 1  # validation copies beside the one in question
    return 1 - comb(others, copies - 1) / comb(total - 1, copies - 1)
