"""Does the scene look like what the model was trained on? Units and pixel size, before the run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import Band, ModelCard
from rs_workbench.errors import SceneError
from rs_workbench.raster import Scene, SceneReader
from tiling import Window

SAMPLE_SIDE = 128
SAMPLES_PER_AXIS = 4
WHOLE_BANDS = 8
"""With more bands, every second pixel serves, or every third: a sample stays small."""
REFUSED_RATIO = 50.0
"""Values this many times smaller or larger than the training data's are in other units:
reflectance 0-1 against 0-255 or 0-10000."""
DOUBTFUL_RATIO = 6.0
DOUBTFUL_PIXEL_SIZE = 1.5


def check_values(
    scene: Scene, bands: Sequence[int], card: ModelCard, *, nodata: Sequence[float] = ()
) -> list[str]:
    """Compare a sample of the scene's values with those of the training data.

    Parameters
    ----------
    scene : Scene
        The scene.
    bands : sequence of int
        Indexes of the bands, from 1, in the card's order.
    card : ModelCard
        Its bands' `low` and `high`, or else mean and std, say what the model knows.
    nodata : sequence of float
        Further nodata values.

    Returns
    -------
    list of str
        Warnings for the report.

    Raises
    ------
    SceneError
        If the values are in other units than the model's.
    """
    ranges = [_range(band) for band in card.bands]
    if any(known is None for known in ranges):
        return []
    sample = _sample(scene, bands, nodata)
    if sample.shape[1] == 0:
        return []
    low, high = np.percentile(sample, (2, 98), axis=1)
    found = float(np.median(np.maximum(abs(low), abs(high))))
    known = float(np.median([max(abs(a), abs(b)) for a, b in filter(None, ranges)]))
    if found == 0 or known == 0:
        return []
    text = (
        f"the values of '{scene.path}' lie between {np.median(low):.4g} and "
        f"{np.median(high):.4g} (2nd to 98th percentile), those '{card.name}' was trained on "
        f"between {np.median([r[0] for r in ranges if r]):.4g} and "
        f"{np.median([r[1] for r in ranges if r]):.4g}"
    )
    ratio = max(found / known, known / found)
    if ratio > REFUSED_RATIO:
        raise SceneError(
            f"{text}: these are other units, so rescale the scene (gdal_translate -scale), or use "
            "--any-values if it is right as it is"
        )
    return [f"{text}: the map may be poor"] if ratio > DOUBTFUL_RATIO else []


def check_pixel_size(scene: Scene, card: ModelCard) -> list[str]:
    """Compare the scene's pixel size with the card's.

    Parameters
    ----------
    scene : Scene
        The scene; without map units there is nothing to compare.
    card : ModelCard
        Its `pixel_size`, m.

    Returns
    -------
    list of str
        A warning where they differ by more than a half.
    """
    if scene.pixel_size is None or card.pixel_size is None:
        return []
    size = float(np.sqrt(scene.pixel_size[0] * scene.pixel_size[1]))
    ratio = max(size / card.pixel_size, card.pixel_size / size)
    if ratio <= DOUBTFUL_PIXEL_SIZE:
        return []
    return [
        f"a pixel of '{scene.path}' is {size:.3g} m, '{card.name}' was trained at "
        f"{card.pixel_size:.3g} m: --match-pixel-size resamples on the fly"
    ]


def _range(band: Band) -> tuple[float, float] | None:
    if band.low is not None and band.high is not None:
        return band.low, band.high
    if band.std != 1.0:
        return band.mean - 2 * band.std, band.mean + 2 * band.std
    return None


def _sample(scene: Scene, bands: Sequence[int], nodata: Sequence[float]) -> NDArray[np.float64]:
    """Take valid pixels (B, n), in physical units, from windows spread over the scene."""
    parts, step = [], -(-len(bands) // WHOLE_BANDS)
    height, width = (min(SAMPLE_SIDE, side) for side in scene.shape)
    rows = np.unique(np.linspace(0, scene.shape[0] - height, SAMPLES_PER_AXIS, dtype=int))
    cols = np.unique(np.linspace(0, scene.shape[1] - width, SAMPLES_PER_AXIS, dtype=int))
    with SceneReader(scene, bands, nodata=nodata) as reader:
        for row in rows:
            for col in cols:
                pixels, valid, missing = reader.read(Window(int(row), int(col), height, width))
                if missing is not None:
                    valid = valid & ~missing.any(axis=0)
                parts.append(pixels[:, valid][:, ::step].astype(np.float64))
    sample = np.concatenate(parts, axis=1)
    sample = sample[:, np.isfinite(sample).all(axis=0)]
    scale = np.array([scene.scales[b - 1] for b in bands])[:, None]
    offset = np.array([scene.offsets[b - 1] for b in bands])[:, None]
    return sample * scale + offset
