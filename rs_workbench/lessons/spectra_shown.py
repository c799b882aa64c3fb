"""What single spectra say before any network: classes, angle, indices, bands, and their noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import confusion_matrix, mean_iou, overall_accuracy
from rs_workbench.lessons.class_spectra import (
    ClassSpectra,
    choose_bands,
    index_of,
    knows_wavelengths,
    label_by_angle,
    measure_spectra,
    places_of,
    smooth,
    worst_pair,
)
from rs_workbench.lessons.cube_chips import CubeChips
from rs_workbench.lessons.folds import Parts
from rs_workbench.lessons.spectra_pictures import (
    picture_of_classes,
    picture_of_inverse,
    picture_of_tiles,
)
from rs_workbench.spectra.band_selection import BandSelection
from rs_workbench.spectra.indices import find_index
from rs_workbench.spectra.transform import LinearTransform
from tiling.label_index import IGNORE
from tiling.windows import Window

N_BANDS, N_TILES = 6, 3
SHOWN_INDICES = ("ndvi", "mndwi")
"""Drawn and told where wavelengths are known."""
MANY = 0.1  # share of pixels without light in a band from which on a median is doubted


class Shown(NamedTuple):
    """Pictures, and what they say.

    Attributes
    ----------
    pictures : dict of str to Path
        Files by their captions.
    words : str
        Sentences with the figures, Markdown.
    """

    pictures: dict[str, Path]
    words: str


def show_spectra(
    folder: Path, chips: CubeChips, transform: LinearTransform, parts: Parts
) -> Shown:
    """Draw what single spectra say, before any network; measured on training chips alone.

    Parameters
    ----------
    folder : Path
        Where to.
    chips : CubeChips
        The scene.
    transform : LinearTransform
        Of the fold; it says which bands were kept.
    parts : Parts
        Chips of the fold: the training ones are measured, held-out ones are drawn.

    Returns
    -------
    Shown
        Three pictures and a paragraph.

    Raises
    ------
    SceneError
        If no two neighbouring training pixels have all bands.
    OutputError
        If the folder cannot be written to.
    """
    found = measure_spectra(chips, transform, parts.training)
    chosen = choose_bands(found, N_BANDS)
    tiles = _fullest(chips, parts.held_out)
    names = SHOWN_INDICES if knows_wavelengths(found.cube) else ()
    marked = chosen.bands if chosen else ()
    pictures = {
        "Mean spectra of the classes in the training tiles, and one standard deviation of each; "
        "dashed: the bands that tell them apart": picture_of_classes(
            folder / "spectra.png", chips, found, marked=marked
        ),
        "What single spectra say of held-out tiles; black lines go round pixels of which a band "
        "has nothing": picture_of_tiles(
            folder / "spectral_angle.png", chips, found, tiles, indices=names
        ),
        f"A held-out tile made again of {transform.n_components} components: a spectrum, and the "
        "noisiest band": picture_of_inverse(
            folder / "noise_undone.png", chips, found, transform, tile=tiles[0]
        ),
    }
    told = {
        "Bands": _tell_bands(chips, found, chosen),
        "Spectral angle": _tell_angle(chips, found, parts.held_out),
        "Indices": _tell_indices(chips, found, names),
        "The way back": _tell_inverse(found, transform),
    }
    lines = [f"- **{about}.** {sentence}" for about, sentence in told.items() if sentence]
    return Shown(pictures, "\n".join(["What single spectra say, in this fold:\n", *lines]))


def _fullest(chips: CubeChips, held_out: NDArray[np.intp]) -> list[Window]:
    """Held-out chips of the most classes, then of the most labels."""
    counts = chips.counts[held_out]
    order = np.lexsort([-counts.sum(axis=1), -(counts > 0).sum(axis=1)])
    return [chips.windows[k] for k in held_out[order][:N_TILES]]


def _tell_bands(chips: CubeChips, found: ClassSpectra, chosen: BandSelection | None) -> str:
    if chosen is None:
        return "Too few classes have training pixels to choose bands by."
    at = ", ".join(f"{place:.0f}" for place in places_of(found.cube, chosen.bands))
    where = f"{at} nm" if knows_wavelengths(found.cube) else f"numbers {at}"
    one, other = (chips.classes[k].name for k in worst_pair(found, chosen.bands))
    return (
        f"{len(chosen.bands)} of {found.cube.n_bands} bands, chosen one after another ({where}), "
        "tell the classes of the training tiles apart with a mean Jeffries-Matusita distance of "
        f"{chosen.separability[-1]:.2f} of 2; the first of them alone, with "
        f"{chosen.separability[0]:.2f}. The pair that stays closest is {one!r} and {other!r}, "
        f"with {chosen.least[-1]:.2f}."
    )


def _tell_angle(chips: CubeChips, found: ClassSpectra, held_out: NDArray[np.intp]) -> str:
    counts = np.zeros((len(chips.classes),) * 2, np.int64)
    for window in (chips.windows[k] for k in held_out):
        nearest = label_by_angle(found, found.cube.read(window).values)
        labels = chips.labels[window.slices]
        known = (labels != IGNORE) & (nearest != IGNORE)
        counts += confusion_matrix(nearest[known], labels[known], len(counts))
    if not counts.any():
        return ""
    return (
        "The nearest of these mean spectra by spectral angle, which learns nothing more, is right "
        f"on {overall_accuracy(counts):.1%} of the labelled pixels of this fold's held-out tiles "
        f"(mean IoU {mean_iou(counts):.3f})."
    )


def _tell_indices(chips: CubeChips, found: ClassSpectra, names: Sequence[str]) -> str:
    if not names:
        return "The files tell no wavelengths, so bands are numbered, and there are no indices."
    said = "; ".join(_tell_index(chips, found, name) for name in names)
    return f"In the training tiles, {said}. An index says little where a band is 0 or less."


def _tell_index(chips: CubeChips, found: ClassSpectra, name: str) -> str:
    values, empty = index_of(found.cube, name)
    classes = [k for k, moments in enumerate(found.moments) if moments.count]
    middles = {k: float(np.nanmedian(values[found.labels == k])) for k in classes}
    most, least = max(middles, key=middles.__getitem__), min(middles, key=middles.__getitem__)
    share = empty[found.labels == most].mean()
    beware = f", with a band of 0 or less in {share:.0%} of the pixels" if share > MANY else ""
    return (
        f"{name.upper()}, {find_index(name).text}, is highest on {chips.classes[most].name} "
        f"(median {middles[most]:.2f}{beware}) and lowest on {chips.classes[least].name} "
        f"({middles[least]:.2f})"
    )


def _tell_inverse(found: ClassSpectra, transform: LinearTransform) -> str:
    read = found.cube.read()
    spectra = read.values[:, found.training & read.valid]
    lost = np.sqrt(((spectra - smooth(transform, spectra)) ** 2).mean(axis=1))
    kept = 1 - (lost / spectra.std(axis=1)) ** 2
    ratio = float(np.median(lost / found.noise))
    so = "so ground went with the noise" if ratio > 1 else "so it may all be noise"
    return (
        f"Made again of {transform.n_components} {transform.kind.upper()} components, a band "
        f"keeps {np.median(kept):.1%} of its variance; what is gone is {ratio:.2f} times its "
        f"estimated noise, {so} (RMS over training pixels, median of {found.cube.n_bands} bands)."
    )
