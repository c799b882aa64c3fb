"""Labels from points and polygons: drawn on the grid of a scene, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import LabelValues, Value
from rs_workbench.accuracy.reference.points import match_labels
from rs_workbench.accuracy.reference.raster_drawing import EMPTY, Drawing
from rs_workbench.accuracy.reference.raster_places import locate
from rs_workbench.accuracy.reference.vector_file import VectorReference, read_reference
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene
from rs_workbench.training.label_legend import (
    LabelLegend,
    named_legend,
    refuse_other_labels,
    vector_legend,
)
from rs_workbench.training.settings import TrainSettings
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

_BLOCK = (512, 512)
_NO_CRS = ": name it with --crs"


def open_vectors(
    settings: TrainSettings, scenes: Sequence[Scene], paths: Sequence[str]
) -> tuple[LabelLegend, tuple[VectorLabels, ...], tuple[str, ...]]:
    """Lay points and polygons over all scenes.

    Parameters
    ----------
    settings : TrainSettings
        Name the column, and perhaps the classes.
    scenes : sequence of Scene
        All scenes.
    paths : sequence of str
        Vector files.

    Returns
    -------
    legend : LabelLegend
        Classes.
    sources : tuple of VectorLabels
        One a scene.
    warnings : tuple of str
        What the user should know.

    Raises
    ------
    WorkbenchError
        If a file cannot be read or placed, or a label means no class.
    """
    vectors = [_read_vector(path, settings.label_column) for path in paths]
    if settings.classes is None:
        legend = vector_legend(vectors, settings.unlabelled)
    else:
        legend = named_legend(settings.classes, settings.unlabelled)
    truths = [_classes_of(vector, legend) for vector in vectors]
    sources = tuple(
        VectorLabels(scene, _layers(scene, vectors, truths), legend) for scene in scenes
    )
    shared = sum(layer.shared for source in sources for layer in source.layers)
    warnings = (
        f"{shared} pixels hold points of different classes, and count as unlabelled",
    ) * bool(shared)
    return legend, sources, warnings


def _read_vector(path: str, column: str | None) -> VectorReference:
    try:
        return read_reference(path, column=column)
    except AccuracyError as error:
        said = str(error).replace("--column", "label_column")
        if _NO_CRS in said:
            said = (
                f"{said.partition(_NO_CRS)[0]}: write it into the file first, such as with  "
                "ogr2ogr -a_srs EPSG:4326  for longitude and latitude"
            )
        raise AccuracyError(said) from error


def _classes_of(vector: VectorReference, legend: LabelLegend) -> NDArray[np.intp]:
    """Class index of each point or polygon, below 0 where it has none."""
    recode: dict[Value, int] = {
        label: entry.value
        for entry, labels in zip(legend.classes, legend.labels, strict=True)
        for label in labels
    }
    values = LabelValues(unlabelled=legend.unlabelled, recode=recode)
    try:
        truth = match_labels(vector.labels, legend.classes, values=values, source=vector.name)
    except AccuracyError as error:
        said = str(error).partition(": translate with --recode")[0]
        if said == str(error):
            raise
        said = said.replace("the map's classes", "the classes")
        raise AccuracyError(
            f"{said}: add them to the labels of a class, or to unlabelled"
        ) from error
    refuse_other_labels(vector, legend, truth.tolist())
    return truth


@dataclass(frozen=True, eq=False)
class Layer:
    """Points or polygons of one file on the grid of a scene.

    Attributes
    ----------
    drawing : Drawing or None
        Polygons.
    pixels : ndarray of intp, shape (n, 2)
        Row and column of points, each pixel once, by row.
    classes : ndarray of uint8, shape (n,)
        Class index of each such pixel.
    shared : int
        Pixels that hold points of different classes.
    """

    drawing: Drawing | None
    pixels: NDArray[np.intp]
    classes: NDArray[np.uint8]
    shared: int = 0

    def read(self, window: Window) -> LabelMap:
        """Draw a window of the scene, (h, w)."""
        out = np.full((window.height, window.width), IGNORE, np.uint8)
        if self.drawing is not None:
            numbers, _ = self.drawing.draw(window)
            drawn = numbers != EMPTY
            out[drawn] = self.drawing.truth[numbers[drawn]]
        first, stop = np.searchsorted(self.pixels[:, 0], (window.row, window.row + window.height))
        places = self.pixels[first:stop] - (window.row, window.col)
        inside = (places[:, 1] >= 0) & (places[:, 1] < window.width)
        out[tuple(places[inside].T)] = self.classes[first:stop][inside]
        return out


def _layers(
    scene: Scene, vectors: Sequence[VectorReference], truths: Sequence[NDArray[np.intp]]
) -> tuple[Layer, ...]:
    return tuple(
        _points(scene, vector, truth)
        if vector.kind == "points"
        else Layer(
            Drawing(vector, scene, truth, leave_out="with unlabelled"),
            np.zeros((0, 2), np.intp),
            np.zeros(0, np.uint8),
        )
        for vector, truth in zip(vectors, truths, strict=True)
    )


def _points(scene: Scene, points: VectorReference, truth: NDArray[np.intp]) -> Layer:
    chosen = np.flatnonzero(truth >= 0)
    rows, cols, inside = locate(scene, points, chosen)
    places = np.stack([rows, cols], axis=1)[inside]
    classes = truth[chosen][inside].astype(np.uint8)
    pixels, at = np.unique(places, axis=0, return_inverse=True)
    low, high = np.full(len(pixels), IGNORE, np.uint8), np.zeros(len(pixels), np.uint8)
    np.minimum.at(low, at.ravel(), classes)
    np.maximum.at(high, at.ravel(), classes)
    clear = low == high
    return Layer(None, pixels[clear], low[clear], int((~clear).sum()))


@dataclass(frozen=True, eq=False)
class VectorLabels:
    """Labels from points and polygons, drawn on the scene's grid; unlabelled elsewhere.

    Attributes
    ----------
    scene : Scene
        The scene.
    layers : tuple of Layer
        One a file.
    legend : LabelLegend
        Classes.
    """

    scene: Scene
    layers: tuple[Layer, ...]
    legend: LabelLegend

    @property
    def block(self) -> tuple[int, int]:
        """Pixels that are drawn at once."""
        return _BLOCK

    def open(self) -> VectorLabels:
        """Give the source itself: nothing needs to be opened."""
        return self

    def read(self, window: Window) -> LabelMap:
        """Draw a window.

        Parameters
        ----------
        window : Window
            In pixels of the scene.

        Returns
        -------
        ndarray of uint8, shape (h, w)
            Class indexes, or `IGNORE`.

        Raises
        ------
        AccuracyError
            If labels of different classes overlap.
        """
        out = np.full((window.height, window.width), IGNORE, np.uint8)
        for layer in self.layers:
            found = layer.read(window)
            clash = (out != IGNORE) & (found != IGNORE) & (out != found)
            if clash.any():
                one, other = (self.legend.classes[m[clash][0]].name for m in (out, found))
                raise AccuracyError(
                    f"label files call {int(clash.sum())} pixels of '{self.scene.name}' or more "
                    f"both '{one}' and '{other}': correct one of the files, or leave it out"
                )
            out = np.where(found == IGNORE, out, found)
        return out

    def close(self) -> None:
        """Close nothing."""
