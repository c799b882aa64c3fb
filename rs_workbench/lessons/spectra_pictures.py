"""Pictures of single spectra: classes, what is nearest, indices, what a transform leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.lessons.class_spectra import (
    ClassSpectra,
    index_of,
    knows_wavelengths,
    label_by_angle,
    places_of,
    smooth,
)
from rs_workbench.lessons.cube_chips import CubeChips
from rs_workbench.lessons.few_labels import picture_bands
from rs_workbench.lessons.pictures import paint
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.indices import find_index
from rs_workbench.spectra.panels import (
    BLUE,
    GREY,
    PANEL,
    PLAIN,
    RUST,
    SMALL,
    add_legend,
    house_fonts,
    name_lines,
    new_figure,
    quiet,
    save_plot,
    show_image,
    stretch,
    with_gaps,
)
from rs_workbench.spectra.plots import plot_spectra
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import Mask
from tiling.label_index import IGNORE
from tiling.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"enmap_potsdam": "reflectance", "salinas_a": "radiance, scaled"}
"""Of the values of the two scenes."""
SCALED = 2  # no reflectance is as large


def picture_of_classes(
    path: str | Path, chips: CubeChips, found: ClassSpectra, *, marked: Sequence[int] = ()
) -> Path:
    """Draw the mean spectrum of each class with its spread, and gaps for dropped bands.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    chips : CubeChips
        The scene, with all bands.
    found : ClassSpectra
        Measured on its training chips.
    marked : sequence of int
        Numbers of bands to mark.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    cube = chips.cube
    means, spread = _on_all_bands(cube, found.cube, np.stack([found.means, found.spread]))
    at = places_of(cube, marked)
    figure = plot_spectra(cube.wavelengths, means, chips.classes, spread=spread, marked=at)
    figure.axes[0].set_ylabel(_unit(cube, means), fontsize=SMALL)
    return save_plot(figure, path)


def _unit(cube: Cube, values: NDArray[np.float64]) -> str:
    unit = UNITS.get(cube.name, "value")
    return f"{unit}, scaled" if unit == "reflectance" and np.nanmax(values) > SCALED else unit


def _on_all_bands(whole: Cube, kept: Cube, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectra (..., B) of the bands that were kept, with NaN for the others."""
    found = np.full((*values.shape[:-1], whole.n_bands), np.nan)
    found[..., [whole.bands.index(band) for band in kept.bands]] = values
    return found


@house_fonts()
def picture_of_tiles(
    path: str | Path,
    chips: CubeChips,
    found: ClassSpectra,
    tiles: Sequence[Window],
    *,
    indices: Sequence[str] = (),
) -> Path:
    """Draw tiles, a row each: bands, labels, the nearest mean spectrum, and indices.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    chips : CubeChips
        The scene.
    found : ClassSpectra
        Measured on its training chips.
    tiles : sequence of Window
        At least one, such as those held out.
    indices : sequence of str
        Names of spectral indices; they need wavelengths.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If there is no such index, or no band for it.
    OutputError
        If it cannot be written.
    """
    columns = 3 + len(indices)
    figure = new_figure(PANEL * columns * 0.95, PANEL * len(tiles) + 1.2)
    axes = figure.subplots(len(tiles), columns, squeeze=False)
    seen, _, _, any_band = chips.cube.with_bands(picture_bands(chips)).read()
    picture = stretch(np.nan_to_num(seen), any_band)
    for row, tile in zip(axes, tiles, strict=True):
        show_image(row[0], picture[tile.slices], "held-out tile")
        _draw_labels(row[1:], chips, found, tile)
    for column, name in zip(axes.T[3:], indices, strict=True):
        values, empty = index_of(found.cube, name)
        _draw_index(column, name, [(values[t.slices], empty[t.slices]) for t in tiles])
    add_legend(figure, chips.classes, "outside lower center")
    return save_plot(figure, path)


def _draw_labels(row: Sequence[Axes], chips: CubeChips, found: ClassSpectra, tile: Window) -> None:
    labels = chips.labels[tile.slices]
    nearest = label_by_angle(found, found.cube.read(tile).values)
    right = (nearest == labels)[labels != IGNORE]
    share = f": {right.mean():.0%} right" if right.size else ""
    show_image(row[0], paint(labels, chips.classes), f"labels: {right.size} px")
    show_image(row[1], paint(nearest, chips.classes), f"nearest by angle{share}")


def _draw_index(
    column: Sequence[Axes], name: str, images: Sequence[tuple[NDArray[Any], Mask]]
) -> None:
    """Draw an index; a black line goes round pixels of which a band is empty."""
    from matplotlib import colormaps

    colors = colormaps["BrBG"].with_extremes(bad=GREY)
    for panel, (image, empty) in zip(column, images, strict=True):
        drawn = show_image(panel, image, name.upper(), cmap=colors, vmin=-1, vmax=1)
        if empty.any():
            panel.contour(empty, levels=[0.5], colors="black", linewidths=1.2)
    figure: Any = column[0].figure
    bar = figure.colorbar(drawn, ax=list(column), location="bottom", shrink=0.85, aspect=18)
    bar.set_label(find_index(name).meaning, fontsize=SMALL)


@house_fonts()
def picture_of_inverse(
    path: str | Path,
    chips: CubeChips,
    found: ClassSpectra,
    transform: LinearTransform,
    *,
    tile: Window,
) -> Path:
    """Draw a spectrum and the noisiest band, as measured and made again of the components.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    chips : CubeChips
        The scene, with all bands.
    found : ClassSpectra
        Measured on its training chips.
    transform : LinearTransform
        With the components that are kept.
    tile : Window
        Where to look; some pixel of it has all bands.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    values, valid, _, _ = found.cube.read(tile)
    again = smooth(transform, values)
    lost = (values - again) / found.noise[:, None, None]
    change = np.sqrt((lost**2).mean(axis=0))
    usual = np.where(valid, np.abs(change - np.median(change[valid])), np.inf).argmin()
    row, col = divmod(int(usual), tile.width)  # the pixel of a median change
    figure = new_figure(12.8, 3.8)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.25))
    left, right = halves
    spectra = np.stack([values[:, row, col], again[:, row, col], found.noise])
    label = f"of {transform.n_components} components"
    _draw_pixel(left, chips.cube, _on_all_bands(chips.cube, found.cube, spectra), label)
    band = int((found.noise / transform.std).argmax())
    (at,) = places_of(found.cube, found.cube.bands[band : band + 1])
    name = f"{at:.0f} nm" if knows_wavelengths(found.cube) else f"band {at:.0f}"
    first = _draw_band(right, name, (values[band], again[band], lost[band]), label)
    first.plot(col, row, "o", color=RUST, markerfacecolor="none", markersize=9, markeredgewidth=2)
    return save_plot(figure, path)


def _draw_pixel(figure: Any, cube: Cube, spectra: NDArray[np.float64], label: str) -> None:
    """Before and after, (3, B) with the noise; below, their difference."""
    known = knows_wavelengths(cube)
    x = cube.wavelengths if known else np.array(cube.bands, np.float64)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    before, after, noise = spectra
    above.plot(*with_gaps(x, before), color=GREY, linewidth=2.2, label="as measured")
    above.plot(*with_gaps(x, after), color=RUST, linewidth=1.1, label=label)
    above.set_title("one pixel (ring)", loc="left", fontsize=PLAIN)
    above.set_ylabel(_unit(cube, before))
    at, deep = with_gaps(x, noise)
    below.fill_between(at, -deep, deep, color="#dddddd", label="± 1 estimated noise")
    below.plot(*with_gaps(x, before - after), color=BLUE, linewidth=1.1, label="what is gone")
    below.set_xlabel("wavelength, nm" if known else "band")
    for axes in (above, below):
        quiet(axes)
        name_lines(axes, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.96))


def _draw_band(
    figure: Any, name: str, images: tuple[NDArray[np.float64], ...], label: str
) -> Axes:
    """Before, after and their difference in units of noise; the first panel is given back."""
    before, after, lost = images
    panels = figure.subplots(1, 3)
    low, high = np.nanpercentile(before, (2, 98))
    show_image(panels[0], before, f"{name}, as measured", vmin=low, vmax=high)
    show_image(panels[1], after, label, vmin=low, vmax=high)
    drawn = show_image(panels[2], lost, "what is gone", cmap="PuOr", vmin=-3, vmax=3)
    bar = figure.colorbar(drawn, ax=list(panels), location="bottom", shrink=0.5, aspect=25)
    bar.set_label("times the estimated noise", fontsize=SMALL)
    return panels[0]
