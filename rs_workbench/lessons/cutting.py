"""Cutting schemes: where chips are taken from a scene, and what each scheme leaves out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.lessons.pictures import paint
from rs_workbench.training.data import TrainingData
from rs_workbench.training.history import write_whole
from rs_workbench.types import LabelMap
from tiling.chips import grid_positions
from tiling.label_index import IGNORE, index_labels
from tiling.sampler import Sampling, draw_chip, make_sampler
from tiling.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {"training": "#3f7d3a", "validation": "#e39b3c", "held_out": "#c8352e"}
"""Parts of a split and their colours."""
_SCENE = "#d8d8d8"
_PANEL = 3.0  # inches


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


def picture_of_cutting(
    path: str | Path,
    labels: LabelMap,
    schemes: Mapping[str, Sequence[Window]],
    *,
    classes: Sequence[LegendClass],
) -> Path:
    """Draw the chips of each scheme over one label map, with what they cover.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    schemes : mapping of str to sequence of Window
        Chips by the name of the scheme.
    classes : sequence of LegendClass
        The classes.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib.patches import Rectangle

    figure, panels = _panels(len(schemes), _PANEL)
    picture = paint(labels, classes)
    for panel, (name, windows) in zip(panels, schemes.items(), strict=True):
        panel.imshow(picture, interpolation="nearest", alpha=0.55)
        for row, col, height, width in windows:
            box = Rectangle((col, row), width, height, fill=False, edgecolor="black", lw=0.9)
            panel.add_patch(box)
        panel.set(xticks=[], yticks=[])
        covered = share_covered(windows, labels.shape[:2])
        said = f"{len(windows)} chips, {100 * covered:.0f} % of the pixels"
        panel.set_title(f"{name}\n{said}", fontsize=9)
    return _save(figure, path)


def picture_of_schemes(
    path: str | Path, labels: LabelMap, classes: Sequence[LegendClass], *, tile: int = 128
) -> Path:
    """Draw five ways to cut one scene: two grids, an overlapping one, and two by chance.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    classes : sequence of LegendClass
        The classes.
    tile : int
        Side of a chip, px.

    Returns
    -------
    Path
        The file.
    """
    shape = (labels.shape[0], labels.shape[1])
    n_chips = 16
    schemes = {
        "the course's grid": cut_like_the_course(shape, tile),
        "grid to the rim": cut_grid(shape, tile),
        "overlapping grid": cut_grid(shape, tile, overlap=tile // 2),
        "random": cut_by_chance(labels, tile, n_chips),
        "balanced by class": cut_by_chance(labels, tile, n_chips, class_share=1),
    }
    return picture_of_cutting(path, labels, schemes, classes=classes)


def picture_of_splits(path: str | Path, splits: Mapping[str, TrainingData]) -> Path:
    """Draw where the chips of each part lie in the mosaic, split by split.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    splits : mapping of str to TrainingData
        By their names; all of scenes that lie in one grid.

    Returns
    -------
    Path
        The file.
    """
    figure, panels = _panels(len(splits), 3.4, height=6.0)
    for panel, (name, data) in zip(panels, splits.items(), strict=True):
        _draw_scenes(panel, data)
        for part, color in PARTS.items():
            rows, cols = _places_of(data, part).T
            panel.scatter(cols, rows, s=5, c=color, label=part.replace("_", "-"), lw=0)
        panel.set(xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"{name}\n{data.leaks} leaking chips", fontsize=9)
        panel.invert_yaxis()
        panel.legend(frameon=False, fontsize=7)
    return _save(figure, path)


def _places_of(data: TrainingData, part: str) -> NDArray[np.float64]:
    """Rows and columns of chips in the mosaic; of cells, where training draws its chips anew."""
    assert data.origins is not None
    if part == "training" and data.split is not None:
        found = [
            np.argwhere(cells & index.counts.any(axis=-1)) * index.cell + origin
            for cells, index, origin in zip(
                data.split.cells("training"), data.indexes, data.origins, strict=True
            )
        ]
        return np.concatenate(found).astype(float)
    chips = getattr(data, part)
    corners = np.array([data.origins[chip.scene] for chip in chips], float).reshape(-1, 2)
    middles = [(c.core.row + c.core.height / 2, c.core.col + c.core.width / 2) for c in chips]
    return corners + np.array(middles, float).reshape(-1, 2)


def _draw_scenes(panel: Axes, data: TrainingData) -> None:
    from matplotlib.patches import Rectangle

    assert data.origins is not None
    for (row, col), scene in zip(data.origins, data.scenes, strict=True):
        panel.add_patch(Rectangle((col, row), scene.shape[1], scene.shape[0], color=_SCENE))


def _panels(n: int, width: float, *, height: float = 3.6) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((n * width, height), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, n, squeeze=False)[0])
    return figure, panels


def _save(figure: Any, path: str | Path) -> Path:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_whole(Path(path), stream.getvalue())
    return Path(path)
