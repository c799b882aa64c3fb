"""A confusion matrix that can be read from the last row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import drawable
from rs_workbench.lessons.panels import make_panels, save_figure

COUNTED = 7
"""With more classes, shares are written without counts."""
_CELL = 0.95  # inches
_WIDEST = 11.5  # inches, of all cells


def picture_of_confusion(
    path: str | Path, confusion: ArrayLike, classes: Sequence[LegendClass]
) -> Path:
    """Draw a confusion matrix: the share of each column, and small below it the count.

    Nothing is written where nothing was counted, and no counts where classes are many.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    confusion : array_like of int, shape (K, K)
        Rows map, columns reference.
    classes : sequence of LegendClass
        Names.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    counts = np.asarray(confusion)
    n_classes, counted = len(counts), len(counts) <= COUNTED
    shares = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    cell = min(_CELL, _WIDEST / n_classes)
    side = 1.6 + cell * max(n_classes, 3)
    figure, axes = make_panels(1, 1, width=side + 0.6, height=side)
    panel = axes[0][0]
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, col in np.argwhere(counts):
        color = "white" if shares[row, col] > 0.55 else "#222222"
        words = {"ha": "center", "va": "center", "color": color}
        share, size = share_text(shares[row, col]), 18 * cell if row == col else 15 * cell
        panel.text(col, row - 0.1 * counted, share, fontsize=size, **words)
        if counted:
            panel.text(col, row + 0.27, f"{counts[row, col]:,}", fontsize=8, **words)
    names = [drawable(entry.name) for entry in classes]
    panel.set_title(f"per cent of each column{', counts below' * counted}", fontsize=13)
    panel.set_xlabel("reference", fontsize=13)
    panel.set_ylabel("map", fontsize=13)
    leaning = {"rotation": 45, "ha": "right"} if max(map(len, names), default=0) > 2 else {}
    panel.set_xticks(range(len(names)), names, fontsize=12, **leaning)
    panel.set_yticks(range(len(names)), names, fontsize=12)
    return save_figure(figure, path)


def share_text(share: float) -> str:
    """Write a share in per cent, so that neither few nor nearly all look like none or all.

    Parameters
    ----------
    share : float
        Above 0, up to 1.

    Returns
    -------
    str
        Without a sign.

    Examples
    --------
    >>> [share_text(share) for share in (0.002, 0.434, 0.9962, 0.99999, 1.0)]
    ['<1', '43', '99.6', '99.9', '100']
    """
    if share < 0.01:
        return "<1"
    return f"{min(100 * share, 99.9):.1f}" if 0.99 <= share < 1 else f"{100 * share:.0f}"
