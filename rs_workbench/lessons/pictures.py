"""Pictures of a lesson: chips and curves, and the colours of both and of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable
from rs_workbench.lessons.panels import add_legend, make_panels, save_figure, show_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 6  # chips: a picture as wide as a projector shows
Ring = tuple[int, int, str]
_PANEL = 2.0  # inches
_CUT = (2, 98)  # percentiles drawn black and white
_FAR = 100  # the largest loss by the smallest: beyond, a logarithmic axis
_UNKNOWN = (220, 220, 220)
_COLORS = ("#1f4e79", "#b5541c", "#3f7d3a", "#7a5195", "#7a7a7a", "#c9a227")


def picture_of_chips(
    path: str | Path,
    images: NDArray[Any],
    labels: NDArray[np.uint8] | None = None,
    predicted: NDArray[np.uint8] | None = None,
    *,
    classes: Sequence[LegendClass] = (),
    titles: Sequence[str] = (),
    one_stretch: bool = False,
    found: str = "prediction",
    rings: Sequence[Sequence[Ring]] = (),
) -> Path:
    """Draw chips in columns: image, below it what is known and what was predicted.

    More than six are continued below.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    images : ndarray, shape (N, B, H, W) or (N, H, W)
        Any range of values. Of more than two bands the first three are red, green and blue.
    labels, predicted : ndarray of uint8, shape (N, H, W), optional
        Class indexes; 255 is unknown, and the prediction is blank where the image is nodata only
        if it holds 255 there.
    classes : sequence of LegendClass
        Colours and names of the indexes.
    titles : sequence of str
        One above each chip; a title may have several lines.
    one_stretch : bool
        Draw all images from the same black to the same white, so that their light can be
        compared; each has its own otherwise.
    found : str
        What the row of `predicted` is called.
    rings : sequence of sequences of (row, col, colour)
        Pixels of each chip to be ringed, in the lowest row.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    limits = _limits(images) if one_stretch else None
    rows = {"image": [stretched(one, limits) for one in images]}
    for name, maps in (("label", labels), (found, predicted)):
        if maps is not None:
            rows[name] = list(paint(maps, classes))
    n_blocks = -(-len(images) // _ACROSS)
    figure, panels = make_panels(
        n_blocks * len(rows), min(len(images), _ACROSS), width=_PANEL, height=_PANEL
    )
    lowest = list(rows.values())[-1]
    blocks = panels.reshape(n_blocks, len(rows), -1).swapaxes(0, 1)
    for (name, pictures), line in zip(rows.items(), blocks, strict=True):
        for panel in line.flat[len(images) :]:
            panel.set_axis_off()
        for panel, picture, ringed in zip_longest(line.flat, pictures, rings[: len(images)]):
            if picture is not None:
                show_picture(panel, picture)
                _draw_rings(panel, (ringed or ()) if pictures is lowest else ())
        for panel in line[:, 0] if len(rows) > 1 else ():
            panel.set_ylabel(name, fontsize=11)
    for panel, title in zip(blocks[0].flat, titles, strict=False):
        panel.set_title("\n".join(map(drawable, title.split("\n"))), fontsize=12)
    if len(rows) > 1:
        add_legend(figure, key_of(classes))
    return save_figure(figure, path)


def _draw_rings(panel: Axes, rings: Sequence[Ring]) -> None:
    for width, colors in ((4, ["white"] * len(rings)), (2, [color for *_, color in rings])):
        rows, cols = [row for row, *_ in rings], [col for _, col, _ in rings]
        panel.scatter(cols, rows, s=90, facecolors="none", edgecolors=colors, linewidths=width)


def picture_of_curves(
    path: str | Path, history: Mapping[str, Sequence[float]], *, kept_by: str = "val_mean_iou"
) -> Path:
    """Draw what training said after each epoch: losses on the left, scores on the right.

    A vertical line marks the epoch whose weights are kept. Where the largest loss is more than a
    hundred times the smallest, their axis is logarithmic: a bad start leaves the rest readable.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    history : mapping of str to sequence of float
        As `keras.callbacks.History.history`; names with "loss" are losses; learning rates are
        left out.
    kept_by : str
        Score by which the weights of the best epoch are kept. Nothing is marked where the
        history does not have it: then the weights are those of the last epoch.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = make_panels(1, 2, width=4.6, height=3.4)
    kept = _best_epoch(history.get(kept_by, ()))
    shown = {name: values for name, values in history.items() if name != "learning_rate"}
    for panel, title in zip(axes[0], ("loss", "score"), strict=True):
        names = [name for name in shown if ("loss" in name) == (title == "loss")]
        for name, color in zip(names, _COLORS, strict=False):
            epochs = np.arange(1, len(shown[name]) + 1)
            panel.plot(epochs, shown[name], color=color, label=name, marker=".")
        if kept:
            panel.axvline(kept, color="#222222", lw=1, ls="--", label=f"kept: epoch {kept}")
        if title == "loss" and _far_apart([shown[name] for name in names]):
            panel.set_yscale("log")
            title = "loss, logarithmic axis"
        panel.set(xlabel="epoch", title=title)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(color="#e4e4e4", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
        if names:
            panel.legend(fontsize=10, framealpha=0.85, edgecolor="none")
    return save_figure(figure, path)


def _far_apart(curves: Sequence[Sequence[float]]) -> bool:
    """Whether values above 0 differ by more than a factor of `_FAR`."""
    values = np.concatenate([np.asarray(one, float) for one in curves] or [np.empty(0)])
    above = values[np.isfinite(values) & (values > 0)]
    return above.size > 0 and bool(above.max() > _FAR * above.min())


def _best_epoch(scores: Sequence[float]) -> int:
    """Find the first epoch with the highest score, from 1; 0 where there is none."""
    known = np.asarray(scores, float)
    return int(np.nanargmax(known)) + 1 if np.isfinite(known).any() else 0


def paint(
    labels: NDArray[np.uint8], classes: Sequence[LegendClass], *, by_value: bool = False
) -> NDArray[np.uint8]:
    """Give each label the colour of its class.

    Parameters
    ----------
    labels : ndarray of uint8, shape (..., H, W)
        Class indexes, or class values.
    classes : sequence of LegendClass
        The classes.
    by_value : bool
        Labels are values of the map, not places in `classes`.

    Returns
    -------
    ndarray of uint8, shape (..., H, W, 3)
        Light grey where there is no class.
    """
    colors = np.empty((256, 3), np.uint8)
    colors[:] = _UNKNOWN
    for index, entry in enumerate(classes):
        colors[entry.value if by_value else index] = tuple(bytes.fromhex(entry.color[1:]))
    return colors[labels]


def key_of(classes: Sequence[LegendClass]) -> dict[str, str]:
    """Give the colours of a legend by what they mean.

    Parameters
    ----------
    classes : sequence of LegendClass
        The classes.

    Returns
    -------
    dict of str to str
        With the colour of no class; empty where there are no classes.
    """
    colors = {class_label(entry): entry.color for entry in classes}
    unknown = {"unlabelled or no data 无标签或无数据": f"#{bytes(_UNKNOWN).hex()}"}
    return colors | unknown if colors else {}


def stretched(image: NDArray[Any], limits: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Stretch an image to a picture.

    Parameters
    ----------
    image : ndarray, shape (B, H, W) or (H, W)
        Any range of values; NaN is black. Of more than two bands the first three are red, green
        and blue, else the first is grey.
    limits : (float, float), optional
        Values drawn black and white; without them, percentiles of the image.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green and blue.
    """
    bands = image[None] if image.ndim == 2 else image
    shown = np.asarray(bands[:3] if len(bands) > 2 else bands[:1].repeat(3, axis=0), np.float64)
    low, high = _limits(shown) if limits is None else limits
    scaled = np.nan_to_num((shown - low) / (high - low or 1.0))
    return (255 * np.clip(scaled, 0, 1)).round().astype(np.uint8).transpose(1, 2, 0)


def _limits(values: NDArray[Any]) -> tuple[float, float]:
    """Values to be drawn black and white."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, _CUT) if known.size else (0.0, 1.0)
    return float(low), float(high)
