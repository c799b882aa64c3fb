"""Measure a network's total stride and its reach by asking it, whatever framework it is of.

A convolutional network scores a pixel from what lies within its *reach*. Tiles whose origins
are multiples of its total *stride*, cropped by the reach, therefore join without a trace. Both
numbers are found by changing part of an input and looking how far the scores follow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from rs_workbench.errors import ModelError
from rs_workbench.types import Image, Scores

Predict: TypeAlias = Callable[[Image], Scores]

TOLERANCE = 1e-5
"""A score that moves by less than this share of the scores' spread has not moved."""
AGREEMENT = 0.999
"""Share of classes that must stay for a distance to count as effective reach."""
LENGTHS = (128, 256, 512, 1024)
"""Lengths of the probes, px; a longer one only where the shorter is too short to tell."""
_STRIDES = ((1, 2, 4, 8, 16, 32, 64), (3, 5, 6, 7, 10, 12, 14, 20, 24, 28, 48))
_WIDTH = 64
_SHIFT_LENGTH = 512
_SHIFT_TOLERANCE = 1e-4
_SHIFT_LIMIT = 1e-2
_CUT_TOLERANCE = 1e-4
_TINY = 1e-12
_LOUDNESS = (1.0, 8.0)
_FALLBACK_REACH = 256


@dataclass(frozen=True)
class Geometry:
    """How a network's scores depend on place.

    Attributes
    ----------
    stride : int
        Tile origins and sizes are multiples of it, px.
    reach : int or None
        How far an input pixel influences the scores, px; None where that has no bound.
    effective_reach : int
        Distance from which on at least `agreement` of the classes stay, px; equal to `reach`
        where that is bounded.
    agreement : float
        Share of classes that stayed beyond the effective reach.
    fixed_size : tuple of int or None
        (height, width) where the network takes one size only.
    """

    stride: int
    reach: int | None
    effective_reach: int
    agreement: float = 1.0
    fixed_size: tuple[int, int] | None = None


def measure(
    predict: Predict,
    n_bands: int,
    *,
    fixed_size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Geometry:
    """Measure the stride and the reach of a network.

    Parameters
    ----------
    predict : callable
        Scores (N, K, H, W) of a batch (N, B, H, W).
    n_bands : int
        Bands the network takes.
    fixed_size : tuple of int, optional
        (height, width) where it takes one size only.
    seed : int
        Of the random pixels; the same seed gives the same answer.

    Returns
    -------
    Geometry
        What was measured.

    Raises
    ------
    ModelError
        If the network takes none of the sizes tried.

    Notes
    -----
    Probes are long and narrow, so that a reach of hundreds of pixels costs no more than a few
    tiles. A reach found so is one in float32: influence below 1e-5 of the scores' spread is
    not seen. Borders of the probes lie on the stride, so ``stride - 1`` is added: a pixel may act
    on all of the stride cell it lies in, and so reach that much farther from its own place.
    """
    probe = _Probe(predict, n_bands, np.random.default_rng(seed))
    stride = _find_stride(probe, fixed_size)
    trials: list[_Trial] = []
    for shapes in _shapes(stride, fixed_size):
        trials = [t for shape in shapes for t in _changed_ends(probe, shape, stride)]
        if fixed_size is None:
            trials += [t for shape in shapes for t in _cut_ends(probe, shape, stride)]
        if all(trial.seen < trial.room for trial in trials):
            reach = max(trial.seen for trial in trials) + stride - 1
            return Geometry(stride, reach, reach, 1.0, fixed_size)
    distance, agreement = _effective_reach([t for t in trials if t.quiet])
    return Geometry(stride, None, distance, agreement, fixed_size)


def measure_once(
    predict: Predict,
    n_bands: int,
    *,
    fixed_size: tuple[int, int] | None,
    store: Path,
) -> Geometry:
    """Measure a network, or read what an earlier run measured.

    Parameters
    ----------
    predict : callable
        Scores (N, K, H, W) of a batch (N, B, H, W).
    n_bands : int
        Bands the network takes.
    fixed_size : tuple of int or None
        (height, width) where it takes one size only.
    store : Path
        JSON file of this very network, see `backends.conversion.cache_folder`.

    Returns
    -------
    Geometry
        What was measured.

    Raises
    ------
    ModelError
        If the network takes none of the sizes tried.
    """
    found = _read_geometry(store)
    if found is not None:
        return found
    geometry = measure(predict, n_bands, fixed_size=fixed_size)
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        new = store.with_name(f"{store.name}.{os.getpid()}.part")
        new.write_text(json.dumps(asdict(geometry)), encoding="utf-8")
        new.replace(store)
    except OSError:
        pass  # a cache that cannot be written costs time next time, nothing else
    return geometry


def _read_geometry(store: Path) -> Geometry | None:
    try:
        values = json.loads(store.read_text(encoding="utf-8"))
        size = values.pop("fixed_size")
        return Geometry(**values, fixed_size=tuple(size) if size else None)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True)
class _Probe:
    """The network and the source of its random inputs."""

    predict: Predict
    n_bands: int
    rng: np.random.Generator

    def texture(self, shape: tuple[int, int]) -> Image:
        """Noise with detail at four scales, (1, B, H, W), spread 1."""
        pixels = np.zeros((1, self.n_bands, *shape), dtype=np.float32)
        for scale in (1, 4, 16, 64):
            coarse = (1, self.n_bands, *(-(-n // scale) for n in shape))
            noise = self.rng.standard_normal(coarse, dtype=np.float32)
            noise = noise.repeat(scale, axis=2).repeat(scale, axis=3)
            pixels += noise[..., : shape[0], : shape[1]] / 2
        return pixels

    def takes(self, shape: tuple[int, int]) -> bool:
        """Whether the network scores tiles of this size."""
        try:
            scores = self.predict(np.zeros((1, self.n_bands, *shape), dtype=np.float32))
        except MemoryError:
            raise
        except Exception:  # each framework has its own way to refuse a size
            return False
        return scores.shape[2:] == shape


@dataclass(frozen=True)
class _Trial:
    """One side of an input changed: how far the scores followed."""

    seen: int
    """Distance up to which scores moved, px."""
    room: int
    """Largest distance that could be seen, px."""
    same: np.ndarray
    """Share of classes that stayed, by distance from the changed side."""
    quiet: bool
    """Whether the change was one that a scene might show."""


def _find_stride(probe: _Probe, fixed_size: tuple[int, int] | None) -> int:
    """Find the smallest step by which the scores move with the input."""
    allowed: list[int] = []
    for family in _STRIDES:
        taken = _taken_steps(probe, family, fixed_size)
        allowed += taken
        errors = {step: _shift_error(probe, step, fixed_size) for step in taken}
        if not errors or errors[taken[-1]] > _SHIFT_LIMIT:
            continue
        limit = max(_SHIFT_TOLERANCE, 2 * errors[taken[-1]])
        return next(step for step in taken if errors[step] <= limit)
    if not allowed:
        raise ModelError(
            f"the network takes none of the tile sizes tried (multiples of {_STRIDES[0][0]} to"
            f" {_STRIDES[0][-1]} px from {_WIDTH} px): give it a fixed size in its card"
        )
    return min(allowed)


def _taken_steps(
    probe: _Probe, family: tuple[int, ...], fixed_size: tuple[int, int] | None
) -> list[int]:
    """List the steps whose multiples are sizes it takes; in the first family they nest."""
    if fixed_size is not None:
        return [s for s in family if 4 * s <= min(fixed_size)]
    taken: list[int] = []
    for step in family:
        odd = -(-_WIDTH // step) | 1
        nested = bool(taken) and family is _STRIDES[0]
        if nested or probe.takes((step * odd, step * (odd + 2))):
            taken.append(step)
    return taken


def _shift_error(probe: _Probe, step: int, fixed_size: tuple[int, int] | None) -> float:
    """How much scores differ, by their spread, when the input is rolled down by one step."""
    shape = fixed_size or (_up(_SHIFT_LENGTH, step), _up(_WIDTH, step))
    image = probe.texture(shape)
    rolled = np.roll(image, step, axis=2)
    scores = probe.predict(np.concatenate([image, rolled]))
    quarter = shape[0] // 4
    before = scores[0, :, quarter : -quarter - step]
    after = scores[1, :, quarter + step : -quarter]
    return float(np.sqrt(np.mean((before - after) ** 2)) / (scores.std() + _TINY))


def _shapes(
    stride: int, fixed_size: tuple[int, int] | None
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Sizes of ever longer probes, lying and standing."""
    if fixed_size is not None:
        yield (fixed_size,)
        return
    width = _up(_WIDTH, stride)
    for length in LENGTHS:
        long = _up(length, 8 * stride)
        yield ((long, width), (width, long))


def _long_axes(shape: tuple[int, int]) -> tuple[int, ...]:
    """Axes along which a probe is long enough: one of a strip, both of a tile."""
    return tuple(axis for axis in (0, 1) if 2 * shape[axis] > max(shape))


def _changed_ends(probe: _Probe, shape: tuple[int, int], stride: int) -> Iterator[_Trial]:
    """Replace everything beyond a border by other pixels, at either end of a probe."""
    for axis in _long_axes(shape):
        edge = max(stride, shape[axis] // 8 // stride * stride)
        for loudness in _LOUDNESS:
            image, other = probe.texture(shape), loudness * probe.texture(shape)
            first, last = _part(axis, 0, edge), _part(axis, -edge, None)
            changed = [image.copy(), image.copy()]
            changed[0][first] = other[first]
            changed[1][last] = other[last]
            scores = [probe.predict(x)[0] for x in (image, *changed)]
            before, top, bottom = (np.moveaxis(s, 1 + axis, 1) for s in scores)
            quiet = loudness == _LOUDNESS[0]
            yield _compare(before[:, edge:], top[:, edge:], TOLERANCE, quiet=quiet)
            before, bottom = before[:, -edge - 1 :: -1], bottom[:, -edge - 1 :: -1]
            yield _compare(before, bottom, TOLERANCE, quiet=quiet)


def _cut_ends(probe: _Probe, shape: tuple[int, int], stride: int) -> Iterator[_Trial]:
    """Cut both ends off a probe: the rest must score as before, as deep as it is long."""
    for axis in _long_axes(shape):
        edge = max(stride, shape[axis] // 8 // stride * stride)
        image = probe.texture(shape)
        inner = np.ascontiguousarray(image[_part(axis, edge, -edge)])
        whole, cut = (np.moveaxis(probe.predict(x)[0], 1 + axis, 1) for x in (image, inner))
        whole = whole[:, edge:-edge]
        half = whole.shape[1] // 2
        yield _compare(whole[:, :half], cut[:, :half], _CUT_TOLERANCE, quiet=True)
        whole, cut = whole[:, : half - 1 : -1], cut[:, : half - 1 : -1]
        yield _compare(whole, cut, _CUT_TOLERANCE, quiet=True)


def _compare(before: Scores, after: Scores, tolerance: float, *, quiet: bool) -> _Trial:
    """Compare scores (K, distance, width), the changed side first."""
    spread = before.std(axis=(1, 2), keepdims=True)
    spread = np.maximum(spread, _TINY + 1e-3 * spread.max())
    moved = np.flatnonzero((np.abs(after - before) > tolerance * spread).any(axis=(0, 2)))
    same = (before.argmax(axis=0) == after.argmax(axis=0)).mean(axis=1)
    seen = int(moved[-1]) + 1 if moved.size else 0
    return _Trial(seen, before.shape[1], same, quiet)


def _effective_reach(trials: list[_Trial]) -> tuple[int, float]:
    """Smallest distance beyond which enough classes stay, and the share that does."""
    depth = min(trial.room for trial in trials)
    same = np.mean([trial.same[:depth] for trial in trials], axis=0)
    beyond = np.cumsum(same[::-1])[::-1] / np.arange(depth, 0, -1)
    deepest = min(_FALLBACK_REACH, depth - 1)
    enough = np.flatnonzero(beyond[: deepest + 1] >= AGREEMENT)
    distance = int(enough[0]) if enough.size else deepest
    return distance, float(beyond[distance])


def _part(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    """Index of rows (axis 0) or columns (axis 1) of a batch."""
    everything = slice(None)
    return (everything, everything, *(everything,) * axis, slice(start, stop))


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
