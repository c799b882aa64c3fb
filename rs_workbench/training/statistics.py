"""measure_bands: mean, standard deviation and percentiles of training pixels, in bounded memory.

Validation and held-out ground, and the buffer between the parts, are never looked at: a network
that were scaled by them would know something of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.training.ground import Ground, GroundReader, Piece
from rs_workbench.types import Mask
from tiling.label_index import LabelIndex
from tiling.room import box_sums, sum_table
from tiling.windows import Window

Floats = NDArray[np.float64]
MOST_AREAS = 512
"""Windows that are read; where there are more, that many are drawn."""
WINDOW_BYTES = 16 << 20
"""Bytes of pixels that a window may hold."""
_WINDOW_SIDE = 1024
_SAMPLE_PIXELS = 1 << 20
_SAMPLE_BYTES = 64 << 20
_PERCENTILES = (2, 98)


@dataclass(frozen=True, eq=False)
class BandStatistics:
    """What training pixels are like, band by band, in physical units.

    Attributes
    ----------
    mean, std : ndarray of float64, shape (B,)
        Of all pixels that were read. `std` is 1 for a band that is constant.
    low, high : ndarray of float64, shape (B,)
        2nd and 98th percentile, of a million of these pixels at most, drawn by chance.
    n_pixels : int
        Pixels that were read.
    constant : tuple of int
        Positions of bands that do not vary.
    """

    mean: Floats
    std: Floats
    low: Floats
    high: Floats
    n_pixels: int
    constant: tuple[int, ...] = ()


def training_areas(
    indexes: Sequence[LabelIndex],
    cells: Sequence[NDArray[np.bool_]],
    *,
    pixel_bytes: int,
) -> list[tuple[int, Window]]:
    """List windows that hold training ground.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    cells : sequence of ndarray of bool, shape (rows, cols) each
        Cells of training; see `near_labels`.
    pixel_bytes : int
        Bytes of a pixel, all bands.

    Returns
    -------
    list of (int, Window)
        Scene and window, whole cells.
    """
    found = []
    for scene, (index, allowed) in enumerate(zip(indexes, cells, strict=True)):
        side = min(_WINDOW_SIDE, int((WINDOW_BYTES / pixel_bytes) ** 0.5))
        step = max(side // index.cell, 1)
        for row in range(0, index.grid[0], step):
            for col in range(0, index.grid[1], step):
                if allowed[row : row + step, col : col + step].any():
                    found.append((scene, _window(index, row, col, step)))
    return found


def _window(index: LabelIndex, row: int, col: int, n_cells: int) -> Window:
    top, left, side = row * index.cell, col * index.cell, n_cells * index.cell
    return Window(top, left, min(side, index.shape[0] - top), min(side, index.shape[1] - left))


def near_labels(index: LabelIndex, allowed: NDArray[np.bool_], tile: int) -> NDArray[np.bool_]:
    """Leave out the cells that no chip with a label shows.

    Parameters
    ----------
    index : LabelIndex
        Counts of labels.
    allowed : ndarray of bool, shape (rows, cols)
        Cells of a part.
    tile : int
        Side of a chip, px.

    Returns
    -------
    ndarray of bool, shape (rows, cols)
        Cells of the part within a chip of a label in it.
    """
    reach = -(-tile // index.cell)
    rows, cols = (
        (np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach + 1, n))
        for n in index.grid
    )
    labelled = index.counts.any(axis=2) & allowed
    return allowed & (box_sums(sum_table(labelled), rows, cols) > 0)


def measure_bands(
    ground: Ground,
    areas: Sequence[tuple[int, Window]],
    mask: Callable[[int, Window], Mask | None],
    *,
    seed: int,
    on_area: Callable[[int, int], None] | None = None,
) -> BandStatistics:
    """Measure bands on training ground.

    Mean and standard deviation are those of all valid pixels of up to `MOST_AREAS` windows of
    some megapixel each; where there is more ground, the windows are drawn by the seed.

    Parameters
    ----------
    ground : Ground
        Scenes.
    areas : sequence of (int, Window)
        Windows with training ground.
    mask : callable
        Gives the training pixels of a window; None for all.
    seed : int
        Of what is drawn.
    on_area : callable, optional
        Called with (windows done, windows).

    Returns
    -------
    BandStatistics
        In physical units: with the scene's own scale and offset.

    Raises
    ------
    SceneError
        If there is no valid pixel, or a band has no value in any.
    """
    chosen = _draw_areas(areas, seed)
    tally = _Tally(ground, _sample_rate(ground, chosen))
    with GroundReader(ground) as reader:
        for number, (scene, window) in enumerate(chosen, 1):
            rng = np.random.default_rng((seed, number))
            wanted = mask(scene, window)
            for piece in reader.pieces(scene, window):
                tally.add(scene, piece, wanted, rng)
            if on_area is not None:
                on_area(number, len(chosen))
    return tally.result()


def _draw_areas(areas: Sequence[tuple[int, Window]], seed: int) -> list[tuple[int, Window]]:
    if len(areas) <= MOST_AREAS:
        return list(areas)
    drawn = np.random.default_rng(seed).choice(len(areas), MOST_AREAS, replace=False)
    return [areas[i] for i in sorted(drawn.tolist())]


def _sample_rate(ground: Ground, areas: Sequence[tuple[int, Window]]) -> float:
    total = sum(window.height * window.width for _, window in areas)
    most = min(_SAMPLE_PIXELS, _SAMPLE_BYTES // (4 * len(ground.bands)))
    return min(1.0, most / max(total, 1))


class _Tally:
    """Adds up pixels; means and squares are merged as in Chan, Golub, LeVeque (1979)."""

    def __init__(self, ground: Ground, rate: float) -> None:
        n_bands = len(ground.bands)
        self.ground, self.rate, self.n_pixels = ground, rate, 0
        self.n, self.mean, self.squares = (np.zeros(n_bands) for _ in range(3))
        self.sample: list[NDArray[np.float32]] = []

    def add(self, scene: int, piece: Piece, wanted: Mask | None, rng: np.random.Generator) -> None:
        """Add the valid pixels of a piece."""
        keep = piece.valid if wanted is None else np.logical_and(piece.valid, wanted[piece.place])
        if not np.any(keep):
            return
        one = self.ground.scenes[scene]
        pixels = piece.pixels[:, keep]
        self.n_pixels += pixels.shape[1]
        drawn = rng.random(pixels.shape[1]) < self.rate
        sample = np.empty((len(pixels), int(np.count_nonzero(drawn))), np.float32)
        for place, (band, values) in enumerate(zip(self.ground.bands, pixels, strict=True)):
            physical = values * np.float64(one.scales[band - 1]) + one.offsets[band - 1]
            sample[place] = physical[drawn]
            self._merge(place, physical[np.isfinite(physical)])
        self.sample.append(sample)

    def _merge(self, band: int, values: Floats) -> None:
        if not len(values):
            return
        n, mean = self.n[band] + len(values), values.mean()
        step = mean - self.mean[band]
        self.squares[band] += ((values - mean) ** 2).sum()
        self.squares[band] += step**2 * self.n[band] * len(values) / n
        self.mean[band] += step * len(values) / n
        self.n[band] = n

    def result(self) -> BandStatistics:
        """Finish."""
        self._check()
        std = np.sqrt(self.squares / self.n)
        # Rounding leaves a trace of spread in a band of one large value.
        flat = std <= 1e-9 * np.maximum(np.abs(self.mean), 1e-30)
        low, high = self._percentiles()
        constant = tuple(int(b) for b in np.flatnonzero(flat))
        return BandStatistics(
            self.mean, np.where(flat, 1.0, std), low, high, self.n_pixels, constant
        )

    def _percentiles(self) -> tuple[Floats, Floats]:
        joined = np.concatenate(self.sample, axis=1)
        found = np.stack([self.mean, self.mean])
        for band, values in enumerate(joined):
            known = values[np.isfinite(values)]
            if len(known):
                found[:, band] = np.percentile(known.astype(np.float64), _PERCENTILES)
        return found[0], found[1]

    def _check(self) -> None:
        scenes = self.ground.scenes
        if not self.n_pixels:
            raise SceneError(
                f"'{scenes[0].name}'{' and the other scenes have' if scenes[1:] else ' has'} no "
                "valid pixel on training ground: check nodata, and that labels lie on data"
            )
        empty = np.flatnonzero(self.n == 0)
        if len(empty):
            band = self.ground.bands[int(empty[0])]
            raise SceneError(
                f"band {band} ({scenes[0].band_names[band - 1]}) has no value on training "
                "ground: leave it out with bands"
            )
