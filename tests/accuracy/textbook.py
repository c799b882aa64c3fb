"""Estimators as textbooks write them, one formula at a time: a second opinion on the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def olofsson(counts: ArrayLike, mapped: ArrayLike) -> dict[str, Floats]:
    """Values and standard errors by equations 1 to 11 of Olofsson et al. (2014)."""
    n, size = np.asarray(counts, float), np.asarray(mapped, float)
    weight, sampled = size / size.sum(), n.sum(axis=1)
    within = n / sampled[:, None]
    spread = within * (1 - within) / (sampled - 1)[:, None]
    shares = weight[:, None] * within
    users, in_truth = within.diagonal(), shares.sum(axis=0)
    with np.errstate(invalid="ignore"):
        producers = shares.diagonal() / in_truth
    errors = []
    for j in range(len(n)):
        total = size @ within[:, j]
        own = size[j] ** 2 * (1 - producers[j]) ** 2 * spread[j, j]
        others = sum(size[i] ** 2 * spread[i, j] for i in range(len(n)) if i != j)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors.append(np.sqrt((own + producers[j] ** 2 * others) / total**2))
    return {
        "overall": np.array([shares.trace()]),
        "se_overall": np.array([np.sqrt(np.sum(weight**2 * spread.diagonal()))]),
        "users": users,
        "se_users": np.sqrt(spread.diagonal()),
        "producers": producers,
        "se_producers": np.array(errors),
        "share": in_truth,
        "se_share": np.sqrt(weight**2 @ spread),
    }


def stehman_ratio(
    y: ArrayLike, x: ArrayLike, stratum: NDArray[np.intp], sizes: Sequence[int], *, fpc: bool
) -> tuple[float, float]:
    """Ratio and its standard error by equations 27 and 28 of Stehman (2014), for whole numbers.

    Fractions, since the sum of the three terms of equation 28 may be far smaller than each.
    """
    totals, parts = [Fraction(0), Fraction(0)], []
    for h, size in enumerate(sizes):
        yh, xh = (np.asarray(v)[stratum == h].astype(int).tolist() for v in (y, x))
        n, sums = len(yh), (sum(yh), sum(xh))
        totals = [t + Fraction(size * s, n) for t, s in zip(totals, sums, strict=True)]
        left = 1 - Fraction(n, size) if fpc else Fraction(1)
        spread = [_covariance(*pair) for pair in ((yh, yh), (xh, xh), (yh, xh))]
        parts.append((size**2 * left / n, *spread))
    ratio = totals[0] / totals[1]
    terms = (f * (yy + ratio**2 * xx - 2 * ratio * xy) for f, yy, xx, xy in parts)
    return float(ratio), float(sum(terms) / totals[1] ** 2) ** 0.5


def _covariance(first: list[int], second: list[int]) -> Fraction:
    n, products = len(first), sum(a * b for a, b in zip(first, second, strict=True))
    return (products - Fraction(sum(first) * sum(second), n)) / (n - 1)


def post_stratified(y: Floats, stratum: NDArray[np.intp], sizes: Floats) -> tuple[float, float]:
    """Mean and its standard error by equation 5A.42 of Cochran (1977), no correction."""
    weight, n = sizes / sizes.sum(), len(y)
    groups = [y[stratum == h] for h in range(len(sizes))]
    mean = sum(w * g.mean() for w, g in zip(weight, groups, strict=True))
    spread = np.array([g.var(ddof=1) for g in groups])
    variance = weight @ spread / n + (1 - weight) @ spread / n**2
    return float(mean), float(np.sqrt(variance))


def delta_error(
    score: Callable[[Floats], float], counts: ArrayLike, mapped: ArrayLike, step: float = 1e-6
) -> float:
    """Standard error of any score of a stratified sample, by its numerical gradient.

    Within a stratum the shares of the classes are multinomial, with variance estimated with n - 1.
    """
    n, size = np.asarray(counts, float), np.asarray(mapped, float)
    weight, sampled = size / size.sum(), n.sum(axis=1)
    within = n / sampled[:, None]
    gradient = np.zeros_like(within)
    for place in np.ndindex(within.shape):
        ends = []
        for sign in (1, -1):
            moved = within.copy()
            moved[place] += sign * step
            ends.append(score(weight[:, None] * moved))
        gradient[place] = (ends[0] - ends[1]) / (2 * step)
    mean = np.sum(within * gradient, axis=1)
    spread = np.sum(within * gradient**2, axis=1) - mean**2
    return float(np.sqrt(np.sum(spread / (sampled - 1))))


def scores(shares: Floats) -> Mapping[str, float]:
    """Scores of a matrix of shares, by their definitions; those of a class are of class 0."""
    rows, columns, right = shares.sum(axis=1), shares.sum(axis=0), shares.diagonal()
    swapped = np.minimum(shares, shares.T)
    exchange = swapped.sum() - swapped.trace()
    quantity = np.abs(rows - columns).sum() / 2
    return {
        "f1": float(2 * right[0] / (rows[0] + columns[0])),
        "iou": float(right[0] / (rows[0] + columns[0] - right[0])),
        "mean_iou": float(np.mean(right / (rows + columns - right))),
        "quantity": float(quantity),
        "exchange": float(exchange),
        "shift": float(shares.sum() - right.sum() - quantity - exchange),
    }
