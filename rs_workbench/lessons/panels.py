"""Figures of a lesson: panels side by side, a legend, and a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.legend_text import drawable, legend_fonts
from rs_workbench.training.history import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEGEND_ENTRY = 2.8  # inches, room for a name in two languages


def make_panels(
    n_rows: int, n_cols: int, *, width: float, height: float
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure of panels.

    Parameters
    ----------
    n_rows, n_cols : int
        How many panels.
    width, height : float
        Of a panel, inches of 110 px.

    Returns
    -------
    figure : Figure
        Not known to pyplot: nothing has to be closed.
    panels : ndarray of Axes, shape (n_rows, n_cols)
        Its panels.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.family": legend_fonts(), "font.size": 9}):
        size = (max(n_cols * width, _LEGEND_ENTRY) + 0.6, n_rows * height + 0.6)
        figure = Figure(size, dpi=110, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(n_rows, n_cols, squeeze=False)


def show_picture(panel: Axes, picture: NDArray[np.uint8]) -> None:
    """Show pixels as they are, without numbers along the rim.

    Parameters
    ----------
    panel : Axes
        Where.
    picture : ndarray of uint8, shape (H, W, 3)
        Red, green and blue.
    """
    panel.imshow(picture, interpolation="nearest")
    panel.set(xticks=[], yticks=[])


def add_legend(figure: Figure, colors: Mapping[str, str], *, panel: Axes | None = None) -> None:
    """Say what colours mean.

    Parameters
    ----------
    figure : Figure
        Below its panels, in as many columns as there is room for.
    colors : mapping of str to str
        Colours by their meaning; "none" is an outline. Without any, nothing is drawn.
    panel : Axes, optional
        In this panel instead, where it hides least.
    """
    from matplotlib.patches import Patch

    entries = [
        Patch(
            facecolor=color,
            edgecolor="black" if color == "none" else "#707070",
            linewidth=0.6,
            label=drawable(name),
        )
        for name, color in colors.items()
    ]
    common = {"handles": entries, "frameon": False}
    if panel is not None:
        panel.legend(loc="best", prop={"family": legend_fonts(), "size": 13}, **common)
    elif entries:
        fitting = max(1, int(figure.get_size_inches()[0] // _LEGEND_ENTRY))
        figure.legend(
            loc="outside lower center",
            ncols=min(len(entries), fitting),
            prop={"family": legend_fonts(), "size": 10},
            **common,
        )


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : str or Path
        The file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_whole(Path(path), stream.getvalue())
    return Path(path)
