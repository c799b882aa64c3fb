"""What all pictures of spectra share: fonts, a figure, images in panels, a legend, a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.journal import explain_disk_errors
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.types import Mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LegendPlace = Literal["outside right center", "outside lower center"]
BLUE, RUST, GREY = "#1f4e79", "#b5541c", "#7a7a7a"
PANEL = 2.6  # inches
SMALL, PLAIN = 9, 10  # pt, the least that is read from the back of a room; titles
_ENTRY = 2.0  # inches, room for a name in a legend
_CUT = (2, 98)  # percentiles at which a picture is black and white
_NODATA = 0.87  # grey


@contextmanager
def house_fonts() -> Iterator[None]:
    """Give texts the fonts that hold the names of classes; a text keeps those it is made with.

    Yields
    ------
    None
        While figures are made; it decorates a function, too.
    """
    from matplotlib import rc_context

    with rc_context({"font.family": legend_fonts(), "font.size": SMALL}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, without any state of matplotlib.

    Parameters
    ----------
    width, height : float
        Inches, of 120 px.

    Returns
    -------
    Figure
        For `save_plot`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_plot(figure: Figure, path: str | Path) -> Path:
    """Write a picture as PNG; the file appears when it is complete.

    Parameters
    ----------
    figure : Figure
        What `new_figure` or a function of `rs_workbench.spectra.plots` gave.
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


def with_gaps(
    x: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put NaN where bands are far apart, or a second detector begins: no line is drawn there.

    Parameters
    ----------
    x : ndarray of float64, shape (B,)
        Wavelengths, nm, or numbers of bands, in the order of the file.
    values : ndarray of float64, shape (B,)
        A spectrum.

    Returns
    -------
    x, values : ndarray of float64, shape (B + gaps,)
        With NaN where a step is four times the usual one, or goes back.

    Examples
    --------
    >>> with_gaps(np.array([1.0, 2, 3, 9, 10]), np.array([0.1, 0.2, 0.3, 0.9, 1.0]))[1].tolist()
    [0.1, 0.2, 0.3, nan, 0.9, 1.0]
    """
    if len(x) < 3:
        return x, values
    steps = np.diff(x)
    steps = steps / (np.median(steps) or 1.0)
    gaps = np.flatnonzero((steps > 4) | (steps < 0)) + 1
    return np.insert(x, gaps, np.nan), np.insert(values, gaps, np.nan)


def show_image(axes: Axes, image: NDArray[Any], title: str, **how: Any) -> Any:
    """Draw an image without axes, under its title.

    Parameters
    ----------
    axes : Axes
        The panel.
    image : ndarray, shape (H, W) or (H, W, 3)
        Grey, or red, green and blue, uint8; or values, with their colours in `how`.
    title : str
        Above it, at the left.
    **how : object
        For matplotlib's ``imshow``.

    Returns
    -------
    AxesImage
        What a colour bar is made of.
    """
    colors: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} | how
    drawn = axes.imshow(image, interpolation="nearest", **colors)
    axes.set_title(title, loc="left", fontsize=PLAIN)
    axes.set(xticks=[], yticks=[])
    axes.set_axis_off()
    return drawn


def quiet(axes: Axes) -> None:
    """Draw a faint grid and no box.

    Parameters
    ----------
    axes : Axes
        The panel.
    """
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL)


def name_lines(axes: Axes, **how: Any) -> None:
    """Name the lines of a panel, on white where names lie over something.

    Parameters
    ----------
    axes : Axes
        The panel.
    **how : object
        For matplotlib's ``legend``, such as the number of columns.
    """
    axes.legend(facecolor="white", edgecolor="none", framealpha=0.85, fontsize=SMALL, **how)


def add_legend(
    figure: Figure, classes: Sequence[LegendClass], where: LegendPlace = "outside right center"
) -> None:
    """Name the classes in both languages beside the panels.

    Parameters
    ----------
    figure : Figure
        The picture.
    classes : sequence of LegendClass
        Those to name.
    where : {'outside right center', 'outside lower center'}
        Place, as matplotlib says it; below the panels, as many stand side by side as fit.
    """
    from matplotlib.patches import Patch

    patches = [Patch(color=entry.color, label=drawable(class_label(entry))) for entry in classes]
    fitting = int(figure.get_size_inches()[0] // _ENTRY)
    columns = max(min(fitting, len(patches)), 1) if "lower" in where else 1
    figure.legend(handles=patches, loc=where, ncols=columns, frameon=False, fontsize=SMALL)
