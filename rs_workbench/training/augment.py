"""Augment chips: image, labels and valid pixels are varied together, from one seed.

NumPy only, so that both frameworks train on the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.training.chip_pixels import (
    ChipPixels,
    blank_nodata,
    check_sizes,
    magnify,
    size_text,
    turn,
)
from rs_workbench.types import Mask

VARIED = ("brightness", "contrast", "joint_brightness", "joint_contrast", "gain", "noise")
"""Settings of `Augment` that are standard deviations."""


@dataclass(frozen=True)
class Augment:
    """How much chips are varied; the default flips and turns them only.

    A setting that is changed leaves the draws of all others as they are.

    Attributes
    ----------
    flip : bool
        Mirror rows, and columns, each in one half of the chips.
    turn : bool
        Turn by 0, 90, 180 or 270 degrees; chips that are not square by 0 or 180.
    scale : tuple of float
        Least and largest magnification. Their logarithms are drawn evenly.
    shift : float
        Largest shift along each axis, share of the chip's side. Ground moved in from outside
        the chip is unknown.
    brightness, contrast : float
        Standard deviation of what is added to a band, and of the share by which its values
        are stretched, band by band. It takes away colour.
    joint_brightness, joint_contrast : float
        The same, drawn once for all bands of a chip, so that colours stay.
    gain : float
        In place of joint_contrast: standard deviation of the share by which all values of a chip,
        as stored, are multiplied. What is dark stays dark, as under less light.
    noise : float
        Standard deviation of what is added to each value.
    band_drop : float
        Chance that a band is blanked; one is always kept.
    cut_mix : float
        Chance that a rectangle is taken from another chip: see `cut_mix` [1]_.
    fill : float
        Value of the image where there is no data, and of blanked bands.

    References
    ----------
    .. [1] S. Yun et al., "CutMix: regularization strategy to train strong classifiers with
       localizable features", ICCV 2019, 6023-6032.
    """

    flip: bool = True
    turn: bool = True
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    joint_brightness: float = 0.0
    joint_contrast: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    band_drop: float = 0.0
    cut_mix: float = 0.0
    fill: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0 < low <= high:
            raise UsageError(
                "scale must be two numbers above 0, the smaller first: got "
                f"{low} and {high} (try 0.8 and 1.25)"
            )
        for name in VARIED:
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must be at least 0: got {getattr(self, name)} (try 0.1)")
        if self.gain and self.joint_contrast:
            raise UsageError(
                "gain stretches values from 0, joint_contrast from their mean: set one of them, "
                f"got {self.gain} and {self.joint_contrast}"
            )
        for name in ("shift", "band_drop", "cut_mix"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(
                    f"{name} must be between 0 and 1: got {getattr(self, name)} (try 0.1)"
                )


NO_CHANGE = Augment(flip=False, turn=False)
"""Chips as they are."""

NO_OFFSET = np.zeros((1, 1, 1), np.float32)
"""Scaled values are 0 where stored values are."""


def augment(
    chip: ChipPixels,
    settings: Augment,
    *,
    rng: np.random.Generator,
    zero: NDArray[np.float32] = NO_OFFSET,
) -> ChipPixels:
    """Vary one chip.

    Parameters
    ----------
    chip : ChipPixels
        Left as it is.
    settings : Augment
        How much to vary it.
    rng : Generator
        Source of chance: ``np.random.default_rng(chip.seed)`` for a chip of `tiling.chips`.
    zero : ndarray of float32, shape (B, 1, 1), optional
        What a stored 0 is once it is scaled, ``-mean / std``, which gain leaves as it is; by
        default 0.

    Returns
    -------
    ChipPixels
        Of the same shapes. Invalid pixels have the fill value and the label `IGNORE`.

    Raises
    ------
    UsageError
        If image, labels and valid pixels differ in size.

    Examples
    --------
    >>> chip = ChipPixels(
    ...     np.arange(4, dtype=np.float32).reshape(1, 2, 2),
    ...     np.array([[0, 1], [2, 3]], np.uint8),
    ...     np.ones((2, 2), bool),
    ... )
    >>> moved = augment(chip, Augment(), rng=np.random.default_rng(1))
    >>> bool((moved.image[0] == moved.labels).all())
    True
    """
    check_sizes(chip)
    chance = _draw(settings, chip.image.shape, rng)
    moved = magnify(chip, scale=chance.scale, shift=chance.shift)
    image, labels, valid = turn(moved, flips=chance.flips, quarters=chance.quarters)
    image = image * (1 + chance.contrast) + chance.brightness
    if chance.stretch:
        image += chance.stretch * (image - (zero if settings.gain else NO_OFFSET))
    if settings.noise:
        image += np.float32(settings.noise) * rng.standard_normal(image.shape, np.float32)
    image[chance.blank] = settings.fill
    return blank_nodata(ChipPixels(image, labels, valid), settings.fill)


def augment_batch(
    chips: Sequence[ChipPixels],
    settings: Augment,
    *,
    seeds: Sequence[int],
    zero: NDArray[np.float32] = NO_OFFSET,
) -> list[ChipPixels]:
    """Vary the chips of a batch, and mix each with the next.

    Parameters
    ----------
    chips : sequence of ChipPixels
        All of one size.
    settings : Augment
        How much to vary them.
    seeds : sequence of int
        Seed of each chip.
    zero : ndarray of float32, shape (B, 1, 1), optional
        As in `augment`.

    Returns
    -------
    list of ChipPixels
        The same for the same chips and seeds. The last chip is mixed with the first.

    Raises
    ------
    UsageError
        If sizes differ.
    """
    varied = [
        augment(chip, settings, rng=np.random.default_rng(seed), zero=zero)
        for chip, seed in zip(chips, seeds, strict=True)
    ]
    others = [*varied[1:], *varied[:1]]
    return [
        cut_mix(chip, other, settings, rng=np.random.default_rng((seed, 1)))
        for chip, other, seed in zip(varied, others, seeds, strict=True)
    ]


def cut_mix(
    chip: ChipPixels, other: ChipPixels, settings: Augment, *, rng: np.random.Generator
) -> ChipPixels:
    """Replace a rectangle by that of another chip, with its labels and its nodata.

    Parameters
    ----------
    chip, other : ChipPixels
        Of one size; left as they are.
    settings : Augment
        ``settings.cut_mix`` is the chance that it is done.
    rng : Generator
        Source of chance: of the rectangle, too, whose area is drawn evenly and which is cut at
        the chip's rim.

    Returns
    -------
    ChipPixels
        The mixed chip.

    Raises
    ------
    UsageError
        If sizes differ.
    """
    if chip.image.shape != other.image.shape:
        raise UsageError(
            "chips to be mixed must be alike: got "
            f"{size_text(chip.image)} and {size_text(other.image)} (bands x height x width)"
        )
    chance, side, row, col = rng.random(4)
    if chance >= settings.cut_mix:
        return chip
    height, width = chip.labels.shape
    rows, cols = _run(row, np.sqrt(side), height), _run(col, np.sqrt(side), width)
    taken = np.logical_and.outer(rows, cols)
    return ChipPixels(
        np.where(taken, other.image, chip.image),
        np.where(taken, other.labels, chip.labels),
        np.where(taken, other.valid, chip.valid),
    )


def _run(middle: float, share: float, length: int) -> Mask:
    """Mark the pixels of a run along one axis; its middle and its length are shares."""
    start, stop = (round((middle + half * share) * length) for half in (-0.5, 0.5))
    return (np.arange(length) >= start) & (np.arange(length) < stop)


class _Chance(NamedTuple):
    """What was drawn for one chip."""

    flips: tuple[bool, bool]  # rows, columns
    quarters: int
    scale: float
    shift: tuple[int, int]  # px
    brightness: NDArray[np.float32]  # (B, 1, 1)
    contrast: NDArray[np.float32]  # (B, 1, 1)
    stretch: np.float32  # of all bands
    blank: NDArray[np.bool_]  # (B,)


def _draw(settings: Augment, shape: tuple[int, ...], rng: np.random.Generator) -> _Chance:
    """Draw for all settings alike, so that one does not change the draws of another."""
    n_bands, height, width = shape
    rows, cols = (rng.random(2) < 0.5) & settings.flip
    quarters = int(rng.integers(4)) * settings.turn
    low, high = np.log(settings.scale)
    scale = float(np.exp(low + rng.random() * (high - low)))
    row, col = (2 * rng.random(2) - 1) * settings.shift
    light = rng.standard_normal((2, n_bands, 1, 1)).astype(np.float32)
    chances = rng.random(n_bands)
    joint = rng.spawn(1)[0].standard_normal(2).astype(np.float32)  # leaves the draws of noise
    return _Chance(
        (bool(rows), bool(cols)),
        quarters if height == width else 2 * (quarters // 2),
        scale,
        (round(row * height), round(col * width)),
        light[0] * np.float32(settings.brightness)
        + joint[0] * np.float32(settings.joint_brightness),
        light[1] * np.float32(settings.contrast),
        joint[1] * np.float32(settings.gain or settings.joint_contrast),
        (chances < settings.band_drop) & (chances < chances.max()),
    )
