"""A sample set made of a few labelled pixels: grown, spread over superpixels, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.lessons.cube_chips import CubeChips
from rs_workbench.spectra.bad_bands import find_bad_bands
from rs_workbench.spectra.mnf import components_above_noise, fit_mnf
from rs_workbench.spectra.panels import save_plot, stretch
from rs_workbench.spectra.plots import plot_samples
from rs_workbench.spectra.purity import Purity, check_purity
from rs_workbench.spectra.region_growing import grow_regions
from rs_workbench.spectra.superpixels import find_superpixels, spread_labels
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE

MAX_ANGLE, MAX_PIXELS, SIZE = 0.04, 150, 25  # radians, px, px
"""As docs/spectra.md measured them on Salinas A."""


class SampleSet(NamedTuple):
    """Samples made of few labels, in two ways.

    Attributes
    ----------
    seeds, regions, superpixels : ndarray of uint8, shape (H, W)
        Class indexes, 255 elsewhere: what was labelled by hand, and what was made of it.
    region_purity, superpixel_purity : Purity
        How much of it is right, without the seeds, where the truth is known.
    segments : ndarray of int32, shape (H, W)
        Number of the superpixel that a pixel lies in, -1 where there is no data.
    """

    seeds: LabelMap
    regions: LabelMap
    superpixels: LabelMap
    region_purity: Purity
    superpixel_purity: Purity
    segments: NDArray[np.int32]

    @property
    def words(self) -> str:
        """Say in a sentence what was made."""
        return (
            f"On Salinas A, of {_n(self.seeds)} labelled pixels, regions grown by spectral angle "
            f"make {_n(self.regions)}{_right(self.region_purity)}, superpixels "
            f"{_n(self.superpixels)}{_right(self.superpixel_purity)}."
        )


def _n(labels: LabelMap) -> int:
    return int((labels != IGNORE).sum())


def _right(purity: Purity) -> str:
    known = int(purity.pixels.sum())
    return f" (truth is known of {known} new ones; {purity.overall:.1%} right)" if known else ""


def draw_seeds(labels: LabelMap, n_classes: int, *, per_class: int, seed: int = 0) -> LabelMap:
    """Label a few pixels of each class at random, as a person does who has five minutes.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        All that is known.
    n_classes : int
        K.
    per_class : int
        Pixels of each.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Class indexes of the few, 255 elsewhere.

    Raises
    ------
    UsageError
        If fewer than one pixel is asked for.
    """
    if per_class < 1:
        raise UsageError(f"at least one pixel of each class must be labelled: got {per_class}")
    rng = np.random.default_rng(seed)
    few = np.full(labels.shape, IGNORE, np.uint8)
    for index in range(n_classes):
        places = rng.permutation(np.argwhere(labels == index))[:per_class]
        few[tuple(places.T)] = index
    return few


def make_samples(chips: CubeChips, *, per_class: int = 5, seed: int = 0) -> SampleSet:
    """Make a sample set of a few pixels of each class, and check it.

    Parameters
    ----------
    chips : CubeChips
        A scene of whose labels only a few are used, and the others to check.
    per_class : int
        Pixels of each class that are labelled.
    seed : int
        Of the draw.

    Returns
    -------
    SampleSet
        Label maps and their purity.
    """
    n_classes = len(chips.classes)
    seeds = draw_seeds(chips.labels, n_classes, per_class=per_class, seed=seed)
    good = chips.cube.with_bands(find_bad_bands(chips.cube).kept)
    values, valid, _, _ = good.read()
    regions = grow_regions(
        np.nan_to_num(values), valid, seeds, max_angle=MAX_ANGLE, max_pixels=MAX_PIXELS
    )
    mnf = fit_mnf(good)
    components = mnf.first(components_above_noise(mnf.eigenvalues)).apply(values)
    segments = find_superpixels(components, valid, size=SIZE)
    spread = spread_labels(segments, seeds).labels
    purities = [
        check_purity(made, chips.labels, n_classes, seeds=seeds) for made in (regions, spread)
    ]
    return SampleSet(seeds, regions, spread, purities[0], purities[1], segments)


def picture_of_samples(path: str | Path, chips: CubeChips, samples: SampleSet) -> Path:
    """Draw the few labels, the regions that grew from them, and the superpixels they fill.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    chips : CubeChips
        The scene.
    samples : SampleSet
        What `make_samples` gave.

    Returns
    -------
    Path
        The file.
    """
    values, _, _, any_band = chips.cube.with_bands(picture_bands(chips)).read()
    picture = stretch(np.nan_to_num(values), any_band)
    made = {"regions": samples.regions, "superpixels": samples.superpixels}
    figure = plot_samples(picture, samples.seeds, made, chips.classes, segments=samples.segments)
    return save_plot(figure, path)


def picture_bands(chips: CubeChips) -> tuple[int, int, int]:
    """Choose three bands that look like a photograph.

    Parameters
    ----------
    chips : CubeChips
        The scene.

    Returns
    -------
    tuple of int
        Numbers of the bands nearest to 640, 550 and 460 nm; where wavelengths are unknown, those
        of AVIRIS.
    """
    centres = chips.cube.wavelengths
    if np.isnan(centres).all():
        return 29, 19, 9
    near = [int(np.nanargmin(np.abs(centres - nm))) for nm in (640, 550, 460)]
    return chips.cube.bands[near[0]], chips.cube.bands[near[1]], chips.cube.bands[near[2]]
