"""Cutting schemes: where chips are taken from a scene, and what each scheme leaves out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rs_workbench.types import LabelMap
from tiling.chips import grid_positions
from tiling.label_index import IGNORE, index_labels
from tiling.sampler import Sampling, draw_chip, make_sampler
from tiling.windows import Window


def cut_like_the_course(shape: tuple[int, int], tile: int) -> list[Window]:
    """Cut a grid by the course's count, which loses the last row and column.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    tile : int
        Side of a chip, px.

    Returns
    -------
    list of Window
        ``(H - tile) // tile`` rows of them, where ``H // tile`` fit.

    Examples
    --------
    >>> len(cut_like_the_course((3840, 3840), 256)), (3840 // 256) ** 2
    (196, 225)
    """
    rows, cols = ((size - tile) // tile for size in shape)
    starts = ((tile * row, tile * col) for row in range(rows) for col in range(cols))
    return [Window(row, col, tile, tile) for row, col in starts]


def cut_grid(shape: tuple[int, int], tile: int, *, overlap: int = 0) -> list[Window]:
    """Cut a grid that reaches the rim: the last row and column are moved back inside.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    tile : int
        Side of a chip, px.
    overlap : int
        Of neighbours, px.

    Returns
    -------
    list of Window
        Together they hold every pixel.

    Examples
    --------
    >>> share_covered(cut_grid((608, 608), 256), (608, 608))
    1.0
    """
    return [chip.window for chip in grid_positions([shape], tile, overlap=overlap)]


def cut_by_chance(
    labels: LabelMap, tile: int, n_chips: int, *, class_share: float = 0.0, seed: int = 0
) -> list[Window]:
    """Draw chips anywhere, or so that rare classes are seen.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    tile : int
        Side of a chip, px.
    n_chips : int
        How many.
    class_share : float
        Share of the chips of which the class is drawn first, then a place where it lies; each
        class is equally likely.
    seed : int
        Source of chance.

    Returns
    -------
    list of Window
        They may overlap.
    """
    known = labels[labels != IGNORE]
    n_classes = int(known.max()) + 1 if known.size else 1

    def read(window: Window) -> LabelMap:
        return labels[window.slices]

    index = index_labels(read, labels.shape[:2], cell=max(tile // 4, 1), n_classes=n_classes)
    sampling = Sampling(tile=tile, seed=seed, class_share=class_share)
    sampler = make_sampler([index], sampling)
    chips = (draw_chip(sampler, i, read=lambda _, window: read(window)) for i in range(n_chips))
    return [chip.window for chip in chips]


def share_covered(windows: Sequence[Window], shape: tuple[int, int]) -> float:
    """Measure how much of a scene lies in at least one chip.

    Parameters
    ----------
    windows : sequence of Window
        Chips inside the scene.
    shape : (int, int)
        Height and width of the scene, px.

    Returns
    -------
    float
        Between 0 and 1.
    """
    seen = np.zeros(shape, bool)
    for window in windows:
        seen[window.slices] = True
    return float(seen.mean())
