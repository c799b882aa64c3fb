"""Pictures of spectra, components and samples, as PNG; drawn without any state of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable
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
    show_image,
    stretch,
    with_gaps,
)
from rs_workbench.spectra.purity import Purity
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import LabelMap, Mask
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@house_fonts()
def plot_components(
    transform: LinearTransform,
    components: NDArray[Any],
    valid: Mask,
    *,
    used: int | None = None,
) -> Figure:
    """Draw the eigenvalues of a transform and its first components as pictures.

    Parameters
    ----------
    transform : LinearTransform
        A PCA or MNF, as it was fitted.
    components : ndarray, shape (K, H, W)
        The components to show, at most a handful.
    valid : ndarray of bool, shape (H, W)
        Pixels with data.
    used : int, optional
        How many components are used; marked in the curve.

    Returns
    -------
    Figure
        For `save_plot`.
    """
    figure = new_figure(PANEL * (1.5 + len(components)), PANEL * 1.12)
    ratios = [1.5, *([1.0] * len(components))]
    axes = figure.subplots(1, 1 + len(components), width_ratios=ratios)
    _draw_eigenvalues(axes[0], transform, used)
    names = transform.component_names
    for panel, image, name in zip(axes[1:], components, names, strict=False):
        show_image(panel, stretch(image[None], valid)[..., 0], name)
    return figure


def _draw_eigenvalues(axes: Axes, transform: LinearTransform, used: int | None) -> None:
    values = transform.eigenvalues
    numbers = np.arange(1, len(values) + 1)
    axes.semilogy(numbers, np.maximum(values, np.finfo(float).tiny), color=BLUE, linewidth=1.6)
    if transform.kind == "mnf":
        axes.axhline(1, color=GREY, linewidth=0.9, linestyle=":")
        axes.text(len(values) / 2, 0.95, "noise alone: 1", color=GREY, va="top", fontsize=SMALL)
    if used is not None:
        axes.axvline(used, color=RUST, linewidth=0.9)
        axes.plot(used, values[used - 1], "o", color=RUST, markersize=4)
        axes.annotate(
            f"{used} used", (used, values[used - 1]), (5, 4), textcoords="offset points",
            color=RUST, fontsize=SMALL,
        )  # fmt: skip
    axes.set_title(f"eigenvalues, {transform.kind.upper()}", loc="left", fontsize=PLAIN)
    axes.set_xlabel("component", fontsize=SMALL)
    quiet(axes)


@house_fonts()
def plot_spectra(
    wavelengths: NDArray[np.float64],
    spectra: NDArray[np.float64],
    classes: Sequence[LegendClass],
    *,
    spread: NDArray[np.float64] | None = None,
    marked: Sequence[float] = (),
) -> Figure:
    """Draw one spectrum for each class; bands that were left out leave a gap.

    Parameters
    ----------
    wavelengths : ndarray of float64, shape (B,)
        Centres, nm, in the order of the file; where none is known, bands are numbered.
    spectra : ndarray of float64, shape (K, B)
        Such as `mean_spectra` gives; NaN leaves a gap.
    classes : sequence of LegendClass
        Names and colours.
    spread : ndarray of float64, shape (K, B), optional
        How far pixels of a class lie from its spectrum. Below, each class gets a panel of its
        own, where the spread is shaded and the other classes are grey.
    marked : sequence of float
        Wavelengths, nm, or numbers of bands, to mark with a line.

    Returns
    -------
    Figure
        For `save_plot`.
    """
    known = not np.isnan(wavelengths).all()
    x = wavelengths if known else np.arange(1.0, len(wavelengths) + 1)
    figure, large, small = _spectra_panels(0 if spread is None else len(classes))
    for spectrum, one in zip(spectra, classes, strict=True):
        label = drawable(class_label(one))
        large.plot(*with_gaps(x, spectrum), color=one.color, label=label, linewidth=1.6)
    _mark(large, marked)
    large.set_xlabel("wavelength, nm" if known else "band", fontsize=SMALL)
    name_lines(large, ncols=1 if spread is None else 2)
    quiet(large)
    if spread is not None:
        _draw_spread(small, x, spectra, spread, classes)
    return figure


def _spectra_panels(n_small: int) -> tuple[Figure, Axes, list[Axes]]:
    if not n_small:
        figure = new_figure(7.5, 3.4)
        return figure, figure.subplots(), []
    figure = new_figure(12.5, 6.0)
    grid = figure.add_gridspec(2, n_small, height_ratios=(1.7, 1))
    large = figure.add_subplot(grid[0, :])
    small = [figure.add_subplot(grid[1, k]) for k in range(n_small)]
    for axes in small:
        axes.sharey(large)
        axes.locator_params(axis="x", nbins=3)
    return figure, large, small


def _mark(axes: Axes, marked: Sequence[float]) -> None:
    """Dashed lines, with numbers in two rows above, so that neighbours do not overlap."""
    for k, at in enumerate(sorted(marked)):
        label = None if k else f"{len(marked)} chosen bands"
        axes.axvline(at, color=RUST, linewidth=1, linestyle="--", zorder=0, label=label)
        axes.annotate(
            f"{at:.0f}", (at, 1), (0, 3 + 11 * (k % 2)), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", color=RUST, fontsize=SMALL,
        )  # fmt: skip


def _draw_spread(
    panels: Sequence[Axes],
    x: NDArray[np.float64],
    spectra: NDArray[np.float64],
    spread: NDArray[np.float64],
    classes: Sequence[LegendClass],
) -> None:
    for k, (axes, one) in enumerate(zip(panels, classes, strict=True)):
        for other in np.delete(spectra, k, axis=0):
            axes.plot(*with_gaps(x, other), color="#cccccc", linewidth=0.8)
        at, low = with_gaps(x, spectra[k] - spread[k])
        axes.fill_between(
            at, low, with_gaps(x, spectra[k] + spread[k])[1], color=one.color, alpha=0.3
        )
        axes.plot(*with_gaps(x, spectra[k]), color=one.color, linewidth=1.6)
        axes.set_title(drawable(one.name), loc="left", fontsize=PLAIN)
        quiet(axes)
        axes.tick_params(labelleft=k == 0)


@house_fonts()
def plot_samples(
    picture: NDArray[np.uint8],
    seeds: LabelMap,
    made: Mapping[str, LabelMap],
    classes: Sequence[LegendClass],
    *,
    segments: NDArray[np.int32] | None = None,
) -> Figure:
    """Draw the few labels there were, and the samples that were made of them.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        The scene, such as `stretch` gives.
    seeds : ndarray of uint8, shape (H, W)
        Class indexes of the few, 255 where unknown.
    made : mapping of str to ndarray of uint8, shape (H, W)
        The same of samples, by how they were made.
    classes : sequence of LegendClass
        Names and colours, in the order of the indexes.
    segments : ndarray of int32, shape (H, W), optional
        Superpixels; their borders are drawn.

    Returns
    -------
    Figure
        Panels: scene with borders, seeds, and each way of making samples.
    """
    figure = new_figure(PANEL * (2.9 + len(made)), PANEL * 1.12)
    scene, few, *panels = figure.subplots(1, 2 + len(made))
    show_image(
        scene, _with_borders(picture, segments), "scene" if segments is None else "superpixels"
    )
    nothing = _painted(picture, np.full_like(seeds, IGNORE), classes)
    show_image(few, nothing, f"{(seeds != IGNORE).sum()} labelled pixels")
    for k, one in enumerate(classes):
        rows, cols = np.nonzero(seeds == k)
        few.scatter(cols, rows, s=14, color=one.color, edgecolors="white", linewidths=0.6)
    for panel, (name, labels) in zip(panels, made.items(), strict=True):
        title = f"{name}: {(labels != IGNORE).sum()} pixels"
        show_image(panel, _painted(picture, labels, classes), title)
    shown = np.unique(np.stack([seeds, *made.values()]))
    add_legend(figure, [classes[k] for k in shown if k != IGNORE])
    return figure


@house_fonts()
def plot_purity(purity: Purity, classes: Sequence[LegendClass]) -> Figure:
    """Draw the share of right pixels of each class, with their number.

    Parameters
    ----------
    purity : Purity
        What `check_purity` or `check_spectra` gave.
    classes : sequence of LegendClass
        Names and colours, in the order of the indexes.

    Returns
    -------
    Figure
        For `save_plot`.
    """
    figure = new_figure(5.5, 0.8 + 0.3 * len(classes))
    axes = figure.subplots()
    places = list(range(len(classes)))
    shares = np.nan_to_num(purity.shares)
    axes.barh(places, shares, color=[c.color for c in classes], height=0.7)
    for place, share, pixels in zip(places, purity.shares, purity.pixels, strict=True):
        text = f"{share:.0%} of {pixels} px" if pixels else "none"
        axes.text(0.02, place, text, va="center", fontsize=SMALL, bbox=_LABEL_BOX)
    axes.set_yticks(places, [drawable(class_label(c)) for c in classes])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_title(f"pure: {purity.overall:.1%} of all", loc="left", fontsize=PLAIN)
    quiet(axes)
    return figure


_LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}


def _painted(
    picture: NDArray[np.uint8], labels: LabelMap, classes: Sequence[LegendClass]
) -> NDArray[np.uint8]:
    """Grey scene with the labels in their colours."""
    grey = picture.mean(axis=2, keepdims=True) * 0.5 + 110
    found = np.broadcast_to(grey, (*labels.shape, 3)).astype(np.uint8)
    for k, one in enumerate(classes):
        found[labels == k] = list(bytes.fromhex(one.color[1:]))
    return found


def _with_borders(
    picture: NDArray[np.uint8], segments: NDArray[np.int32] | None
) -> NDArray[np.uint8]:
    found = np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()
    if segments is not None:
        border = np.zeros(segments.shape, np.bool_)
        border[:-1] |= segments[:-1] != segments[1:]
        border[:, :-1] |= segments[:, :-1] != segments[:, 1:]
        found[border] = (255, 210, 0)
    return found
