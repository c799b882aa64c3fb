"""Pictures of spectra, components and samples, as PNG; drawn without any state of matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.journal import explain_disk_errors
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.spectra.purity import Purity
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import LabelMap, Mask
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _RUST, _GREY = "#1f4e79", "#b5541c", "#7a7a7a"
_PANEL = 2.6  # inches
_CUT = (2, 98)  # percentiles at which a picture is black and white
_NODATA = 0.87  # grey


@contextmanager
def _house_fonts() -> Iterator[None]:
    """Give texts the fonts that hold the names of classes; a text keeps those it is made with."""
    from matplotlib import rc_context

    with rc_context({"font.family": legend_fonts()}):
        yield


def save_plot(figure: Figure, path: str | Path) -> Path:
    """Write a picture as PNG; the file appears when it is complete.

    Parameters
    ----------
    figure : Figure
        What a function of this file gave.
    path : str or Path
        The file; its folder is made where it is missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path, stream = Path(path), io.BytesIO()
    figure.savefig(stream, format="png")
    part = path.with_name(path.name + ".part")
    with explain_disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(stream.getvalue())
        part.replace(path)
    return path


@_house_fonts()
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
    figure = _figure(_PANEL * (1.5 + len(components)), _PANEL * 1.12)
    ratios = [1.5, *([1.0] * len(components))]
    axes = figure.subplots(1, 1 + len(components), width_ratios=ratios)
    _draw_eigenvalues(axes[0], transform, used)
    names = transform.component_names
    for panel, image, name in zip(axes[1:], components, names, strict=False):
        _show(panel, stretch(image[None], valid)[..., 0], name)
    return figure


def _draw_eigenvalues(axes: Axes, transform: LinearTransform, used: int | None) -> None:
    values = transform.eigenvalues
    numbers = np.arange(1, len(values) + 1)
    axes.semilogy(numbers, np.maximum(values, np.finfo(float).tiny), color=_BLUE, linewidth=1.6)
    if transform.kind == "mnf":
        axes.axhline(1, color=_GREY, linewidth=0.9, linestyle=":")
        axes.text(len(values) / 2, 0.95, "noise alone: 1", color=_GREY, va="top", fontsize=8)
    if used is not None:
        axes.axvline(used, color=_RUST, linewidth=0.9)
        axes.plot(used, values[used - 1], "o", color=_RUST, markersize=4)
        axes.annotate(
            f"{used} used", (used, values[used - 1]), (5, 4), textcoords="offset points",
            color=_RUST, fontsize=8,
        )  # fmt: skip
    axes.set_title(f"eigenvalues, {transform.kind.upper()}", loc="left", fontsize=10)
    axes.set_xlabel("component", fontsize=9)
    _quiet(axes)


@_house_fonts()
def plot_spectra(
    wavelengths: NDArray[np.float64],
    spectra: NDArray[np.float64],
    classes: Sequence[LegendClass],
) -> Figure:
    """Draw one spectrum for each class; bands that were left out leave a gap.

    Parameters
    ----------
    wavelengths : ndarray of float64, shape (B,)
        Centres, nm.
    spectra : ndarray of float64, shape (K, B)
        Such as `mean_spectra` gives.
    classes : sequence of LegendClass
        Names and colours.

    Returns
    -------
    Figure
        For `save_plot`.
    """
    figure = _figure(7.5, 3.4)
    axes = figure.subplots()
    order = np.argsort(wavelengths)
    nm = wavelengths[order]
    steps = np.diff(nm)
    gaps = np.flatnonzero(steps > 4 * np.median(steps)) + 1
    for spectrum, one in zip(spectra, classes, strict=True):
        line = np.insert(spectrum[order], gaps, np.nan)
        axes.plot(
            np.insert(nm, gaps, np.nan),
            line,
            color=one.color,
            label=class_label(one),
            linewidth=1.4,
        )
    axes.set_xlabel("wavelength, nm", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    _quiet(axes)
    return figure


@_house_fonts()
def plot_samples(
    picture: NDArray[np.uint8],
    seeds: LabelMap,
    made: LabelMap,
    classes: Sequence[LegendClass],
    *,
    segments: NDArray[np.int32] | None = None,
) -> Figure:
    """Draw the few labels there were, and the samples that were made of them.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        The scene, such as `stretch` gives.
    seeds, made : ndarray of uint8, shape (H, W)
        Class indexes, 255 where unknown.
    classes : sequence of LegendClass
        Names and colours, in the order of the indexes.
    segments : ndarray of int32, shape (H, W), optional
        Superpixels; their borders are drawn.

    Returns
    -------
    Figure
        Three panels: scene with borders, seeds, samples.
    """
    from matplotlib.patches import Patch

    figure = _figure(_PANEL * 3.9, _PANEL * 1.12)
    left, middle, right = figure.subplots(1, 3)
    _show(left, _with_borders(picture, segments), "scene" if segments is None else "superpixels")
    nothing = np.full_like(seeds, IGNORE)
    _show(
        middle, _painted(picture, nothing, classes), f"{(seeds != IGNORE).sum()} labelled pixels"
    )
    for k, one in enumerate(classes):
        rows, cols = np.nonzero(seeds == k)
        middle.scatter(cols, rows, s=14, color=one.color, edgecolors="white", linewidths=0.6)
    _show(right, _painted(picture, made, classes), f"{(made != IGNORE).sum()} sample pixels")
    shown = [k for k in range(len(classes)) if ((seeds == k) | (made == k)).any()]
    patches = [
        Patch(color=classes[k].color, label=drawable(class_label(classes[k]))) for k in shown
    ]
    figure.legend(handles=patches, loc="outside right center", frameon=False, fontsize=8)
    return figure


@_house_fonts()
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
    figure = _figure(5.5, 0.8 + 0.3 * len(classes))
    axes = figure.subplots()
    places = list(range(len(classes)))
    shares = np.nan_to_num(purity.shares)
    axes.barh(places, shares, color=[c.color for c in classes], height=0.7)
    for place, share, pixels in zip(places, purity.shares, purity.pixels, strict=True):
        text = f"{share:.0%} of {pixels} px" if pixels else "none"
        axes.text(0.02, place, text, va="center", fontsize=8, bbox=_LABEL_BOX)
    axes.set_yticks(places, [drawable(class_label(c)) for c in classes])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_title(f"pure: {purity.overall:.1%} of all", loc="left", fontsize=10)
    _quiet(axes)
    return figure


_LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}


def stretch(values: NDArray[Any], valid: Mask) -> NDArray[np.uint8]:
    """Turn bands or components into a picture, from the 2nd to the 98th percentile.

    Parameters
    ----------
    values : ndarray, shape (C, H, W)
        One or three layers.
    valid : ndarray of bool, shape (H, W)
        Pixels with data; others become grey.

    Returns
    -------
    ndarray of uint8, shape (H, W, C)
        0 to 255.
    """
    picture = np.full((*valid.shape, len(values)), _NODATA)
    for c, layer in enumerate(values):
        if valid.any():
            low, high = np.percentile(layer[valid], _CUT)
            scaled = (layer - low) / max(high - low, np.finfo(float).tiny)
            picture[..., c] = np.where(valid, scaled, _NODATA)
    return (255 * np.nan_to_num(picture).clip(0, 1)).round().astype(np.uint8)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _quiet(axes: Axes) -> None:
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _show(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_axis_off()


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
