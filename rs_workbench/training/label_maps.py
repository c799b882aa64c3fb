"""Label maps: labels of a scene as class indexes, whatever file they come from.

A source says where labels are, and can be handed to threads; each thread opens its own reader,
which gives windows of (h, w) uint8: class indexes, or `IGNORE` where nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import Value
from rs_workbench.accuracy.reference.raster_grid import Alignment, align
from rs_workbench.accuracy.reference.raster_labels import LabelReader, LabelSource, not_a_class
from rs_workbench.accuracy.reference.raster_pair import open_map
from rs_workbench.accuracy.reference.raster_windows import intersect
from rs_workbench.errors import AccuracyError, SceneError
from rs_workbench.raster_scene import Scene
from rs_workbench.training.label_legend import LabelLegend, named_legend, raster_legend
from rs_workbench.training.label_vectors import open_vectors
from rs_workbench.training.scene_list import find_labels, pair_labels
from rs_workbench.training.settings import TrainSettings
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

CACHE_BYTES = 16 << 20
"""Of GDAL's block cache: small, since what is read is kept as pieces."""


class Labels(Protocol):
    """Reads labels of one scene, in one thread."""

    def read(self, window: Window) -> LabelMap:
        """Read class indexes, or `IGNORE`, (h, w)."""
        ...

    def close(self) -> None:
        """Close what is open."""


class Source(Protocol):
    """Labels of one scene; plain data.

    Attributes
    ----------
    block : tuple of int, (h, w)
        How labels are stored, px.
    """

    @property
    def block(self) -> tuple[int, int]:
        """How labels are stored, px."""
        ...

    def open(self) -> Labels:
        """Make a reader."""
        ...


@dataclass(frozen=True, eq=False)
class LabelMaps:
    """Labels of all scenes.

    Attributes
    ----------
    legend : LabelLegend
        Classes, and the labels that mean each.
    sources : tuple of Source
        One a scene.
    warnings : tuple of str
        What the user should know.
    """

    legend: LabelLegend
    sources: tuple[Source, ...]
    warnings: tuple[str, ...]


def open_label_maps(settings: TrainSettings, scenes: Sequence[Scene]) -> LabelMaps:
    """Find the labels of all scenes.

    Parameters
    ----------
    settings : TrainSettings
        Name the labels, and perhaps the classes.
    scenes : sequence of Scene
        All scenes.

    Returns
    -------
    LabelMaps
        Nothing is read yet but names and, for a legend without names, the values.

    Raises
    ------
    WorkbenchError
        If labels do not belong to the scenes, or do not name the classes.
    """
    rasters, vectors = find_labels(settings.labels)
    if vectors:
        return LabelMaps(*open_vectors(settings, scenes, vectors))
    paired, warnings = pair_labels(scenes, [open_map(path) for path in rasters])
    _refuse_same(scenes, paired)
    if settings.classes is None:
        legend = raster_legend(paired, settings.unlabelled)
    else:
        legend = named_legend(settings.classes, settings.unlabelled)
    sources = tuple(
        RasterLabels(scene, _source(labels, legend), _on_scene(scene, labels), legend)
        for scene, labels in zip(scenes, paired, strict=True)
    )
    return LabelMaps(legend, sources, warnings)


def _refuse_same(scenes: Sequence[Scene], labels: Sequence[Scene]) -> None:
    for scene, one in zip(scenes, labels, strict=True):
        if scene.path == one.path:
            raise SceneError(
                f"'{scene.name}' is named as a scene and as its own labels: name the files of "
                "the labels with labels"
            )


def _on_scene(scene: Scene, labels: Scene) -> Alignment:
    try:
        return align(scene, labels)
    except AccuracyError as error:
        said = str(error).partition(": add --resample")[0]
        if said == str(error):
            raise
        raise AccuracyError(
            f"{said}: bring the labels to the grid of their scene first, with  gdalwarp -r near "
            "-tr ... -te ..., or give them as polygons"
        ) from error


def _source(labels: Scene, legend: LabelLegend) -> LabelSource:
    """Say how a raster of labels is read: what the classes name goes before declared nodata."""
    recode = legend.numbers
    stored = () if labels.nodata[0] is None else (labels.nodata[0],)
    nothing = [*stored, 255.0, *(v for v in legend.unlabelled if not isinstance(v, str))]
    nothing = [value for value in nothing if value not in recode]
    return LabelSource(labels, "labels", nothing=tuple(nothing), recode=recode, strict=True)


@dataclass(frozen=True, eq=False)
class RasterLabels:
    """Labels from a raster on the scene's grid.

    Attributes
    ----------
    scene : Scene
        The scene.
    source : LabelSource
        The raster and what its values mean.
    alignment : Alignment
        Where it lies on the scene.
    legend : LabelLegend
        Classes.
    """

    scene: Scene
    source: LabelSource
    alignment: Alignment
    legend: LabelLegend

    @property
    def block(self) -> tuple[int, int]:
        """How the raster is stored, px."""
        return self.source.scene.block

    def open(self) -> RasterLabelReader:
        """Make a reader."""
        return RasterLabelReader(self)


class RasterLabelReader:
    """Reads class indexes from a raster.

    Parameters
    ----------
    labels : RasterLabels
        What to read.
    """

    def __init__(self, labels: RasterLabels) -> None:
        self._labels = labels
        self._reader = LabelReader(labels.source, cache_bytes=CACHE_BYTES)
        self._table, self._known = _byte_tables(labels.source)

    def read(self, window: Window) -> LabelMap:
        """Read a window of the scene.

        Parameters
        ----------
        window : Window
            In pixels of the scene, inside it.

        Returns
        -------
        ndarray of uint8, shape (h, w)
            Class indexes, or `IGNORE`.

        Raises
        ------
        AccuracyError
            If the file cannot be read, or a value means no class.
        """
        out = np.full((window.height, window.width), IGNORE, np.uint8)
        lies = self._labels.alignment
        inside = intersect(window, lies.overlap)
        if inside is None:
            return out
        row, col, height, width = inside
        codes = self._reader.read((row - lies.row, col - lies.col, height, width))
        place = Window(row - window.row, col - window.col, height, width).slices
        out[place] = self._judge(codes) if self._labels.source.as_stored else codes
        return out

    def _judge(self, codes: NDArray[np.uint8]) -> LabelMap:
        """Turn bytes as stored into class indexes."""
        strange = np.flatnonzero(np.bincount(codes.ravel(), minlength=256) * ~self._known)
        if strange.size:
            listed = ", ".join(map(str, strange[:5].tolist()))
            raise AccuracyError(not_a_class(listed, self._labels.source))
        return self._table[codes]

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _byte_tables(source: LabelSource) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Class index of each byte of a raster that is read as stored, and whether it means any."""
    table, known = np.full(256, IGNORE, np.uint8), np.zeros(256, np.bool_)
    nothing: dict[Value, int] = dict.fromkeys(source.nothing, IGNORE)
    for value, index in {**nothing, **source.recode}.items():
        if not isinstance(value, str) and 0 <= value <= 255 and float(value).is_integer():
            table[int(value)], known[int(value)] = index, True
    return table, known
