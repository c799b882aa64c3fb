"""Compare configurations with the baseline, on the same held-out ground and with the same seeds.

Two things make a difference of scores uncertain, and they are told apart. Other *ground* would
have given other scores: that is what the interval shows, from drawing the blocks of held-out
ground again. Another *seed* would have given another network: that is what the spread over seeds
shows. A difference that is to be believed is beyond both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import adjust_p_values, mean_iou
from rs_workbench.accuracy.assess.baselines import MIN_PARTS
from rs_workbench.accuracy.bootstrap_run import run_bootstrap
from rs_workbench.accuracy.resample import make_units
from rs_workbench.errors import UsageError
from rs_workbench.training.held_out_blocks import HeldOutBlocks, align_blocks

BySeed = Mapping[int, HeldOutBlocks]
LEVEL = 0.05
METHOD = (
    "The difference of two configurations is the mean, over the seeds that both have, of (mean IoU"
    " of the one - mean IoU of the other) on all held-out ground. Its 95 % interval is that of a"
    " bootstrap over blocks of held-out ground: each of 2000 draws takes the same blocks for both"
    " configurations and for all seeds, so that what is hard for both cancels, and forms the same"
    " mean again; the interval holds the middle 95 % of the draws. The p value is that of t ="
    " difference / standard deviation of the draws, with one degree of freedom fewer than there"
    " are blocks. The interval is that of one comparison and follows the skew of the draws; p is"
    " corrected for the number of comparisons and does not: better or worse is said where both"
    " agree. The interval says how the difference would vary over other ground with the"
    " networks as trained; what another seed changes is told beside it, as the standard deviation"
    " of the difference over seeds."
)
"""In words, for the report."""


@dataclass(frozen=True)
class Difference:
    """How much better a configuration is than the baseline; NaN where that is undefined.

    Attributes
    ----------
    value : float
        Mean over seeds of the difference of mean IoU.
    low, high : float
        95 % interval over ground.
    standard_error : float
        Over ground.
    p_value, adjusted_p_value : float
        Of no difference, two-sided; and by Holm for the number of comparisons.
    by_seed : dict of int to float
        Difference of each seed.
    n_blocks : int
        Blocks of held-out ground that were drawn from.
    note : str
        Why something is undefined.
    """

    value: float
    low: float
    high: float
    standard_error: float
    p_value: float
    adjusted_p_value: float
    by_seed: dict[int, float]
    n_blocks: int
    note: str = ""

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN for a single one."""
        values = list(self.by_seed.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    @property
    def verdict(self) -> str:
        """What may be said: better, worse, or that no difference is shown."""
        if math.isnan(self.low) or math.isnan(self.adjusted_p_value):
            return "not tested"
        beyond = (self.low > 0 or self.high < 0) and self.value != 0
        if not beyond or not self.adjusted_p_value < LEVEL:
            return "no difference shown"
        word = "better" if self.value > 0 else "worse"
        seeds = list(self.by_seed.values())
        if len(seeds) == 1:
            return f"{word} on this ground, with one seed"
        agreeing = sum(one * self.value > 0 for one in seeds)  # 0 agrees with neither
        return word if agreeing == len(seeds) else f"{word}, with {agreeing} of {len(seeds)} seeds"


def difference(first: BySeed, second: BySeed, *, n_draws: int = 2000, seed: int = 0) -> Difference:
    """Compare two configurations block by block and seed by seed.

    Parameters
    ----------
    first, second : mapping of int to HeldOutBlocks
        Held-out blocks of each seed.
    n_draws : int
        Draws of the bootstrap.
    seed : int
        Of the draws.

    Returns
    -------
    Difference
        Of the first less the second; `METHOD` says how. Undefined where they share no seed or
        not their ground; without interval where blocks are fewer than `MIN_PARTS`.
    """
    shared = sorted(set(first) & set(second))
    if not shared:
        return _undefined("no seed in common with the baseline")
    try:
        aligned = align_blocks([part[one] for part in (first, second) for one in shared])
    except UsageError as error:
        return _undefined(str(error))
    pair = np.stack(aligned).astype(np.float64)  # (2 S, n, K, K), the first configuration first
    pair = pair[:, pair.any(axis=(0, 2, 3))]
    by_seed = dict(zip(shared, _differences(pair.sum(axis=1)).tolist(), strict=True))
    found = replace(
        _undefined(""), value=float(np.mean(list(by_seed.values()))), by_seed=by_seed,
        n_blocks=pair.shape[1],
    )  # fmt: skip
    if found.n_blocks < MIN_PARTS:
        few = (
            f"{found.n_blocks} blocks of held-out ground: no interval from fewer than {MIN_PARTS}"
        )
        return replace(found, note=few)
    shape = (pair.shape[0], *pair.shape[2:])
    drawn = run_bootstrap(
        make_units(pair.transpose(1, 0, 2, 3).reshape(found.n_blocks, -1)),
        lambda total: float(_differences(total.reshape(shape)).mean()),
        {"n_draws": n_draws, "seed": seed},
    )
    p = _p_value(found.value, drawn.standard_error, found.n_blocks)
    return replace(
        found, low=drawn.low, high=drawn.high, standard_error=drawn.standard_error, p_value=p,
        adjusted_p_value=p,
    )  # fmt: skip


def adjust(found: Sequence[Difference]) -> list[Difference]:
    """Correct p values for the number of comparisons, by Holm.

    Parameters
    ----------
    found : sequence of Difference
        All comparisons with the baseline.

    Returns
    -------
    list of Difference
        In the same order.
    """
    adjusted = adjust_p_values([one.p_value for one in found]) if found else np.empty(0)
    return [
        replace(one, adjusted_p_value=float(p)) for one, p in zip(found, adjusted, strict=True)
    ]


def _differences(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of mean IoU of each seed, from matrices (2 S, K, K)."""
    scores = np.array([mean_iou(one) for one in totals])
    half = len(scores) // 2
    return np.asarray(scores[:half] - scores[half:])


def _p_value(value: float, error: float, n_blocks: int) -> float:
    from scipy.stats import t

    if error == 0:
        return 1.0 if value == 0 else math.nan
    return float(2 * t.sf(abs(value) / error, n_blocks - 1))


def _undefined(note: str) -> Difference:
    nan = math.nan
    return Difference(nan, nan, nan, nan, nan, nan, {}, 0, note)
