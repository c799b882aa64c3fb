"""open_data: all that a network learns from, the same for both frameworks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.progress import OnProgress
from rs_workbench.raster_scene import Scene
from rs_workbench.training.ground import Ground, GroundReader
from rs_workbench.training.label_maps import open_label_maps
from rs_workbench.training.origins import Origins, find_origins
from rs_workbench.training.parts import Parts, make_parts
from rs_workbench.training.scene_list import open_scenes, same_bands
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.statistics import BandStatistics, measure_bands
from rs_workbench.types import LabelMap
from tiling.chips import Chip
from tiling.label_index import LabelIndex, index_labels
from tiling.sampler import Sampler
from tiling.split import Split
from tiling.windows import Window

_UNLIKE = 1.05
"""Pixel sizes that differ by a larger factor are worth a warning."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Scenes, labels, parts and statistics; made by `open_data`.

    Attributes
    ----------
    settings : TrainSettings
        What was asked.
    ground : Ground
        Scenes, bands and labels, for readers.
    classes : tuple of LegendClass
        K classes; their order gives the class indexes.
    indexes : tuple of LabelIndex
        Counts of labels by cell, one a scene.
    origins : tuple of (int, int), or None
        Row and column of each scene in one grid, px.
    statistics : BandStatistics
        Of training ground only.
    parts : Parts
        Chips of each part.
    pixel_size : float or None
        m.
    warnings : tuple of str
        What the user should know, one sentence each.
    """

    settings: TrainSettings
    ground: Ground
    classes: tuple[LegendClass, ...]
    indexes: tuple[LabelIndex, ...]
    origins: tuple[tuple[int, int], ...] | None
    statistics: BandStatistics
    parts: Parts
    pixel_size: float | None
    warnings: tuple[str, ...]

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All scenes."""
        return self.ground.scenes

    @property
    def bands(self) -> tuple[int, ...]:
        """Numbers of the bands, from 1, the same in all scenes."""
        return self.ground.bands

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands in the first scene."""
        return tuple(self.scenes[0].band_names[band - 1] for band in self.bands)

    @property
    def wavelengths(self) -> tuple[float | None, ...]:
        """Centre wavelengths of the bands in the first scene, nm."""
        return tuple(self.scenes[0].wavelengths[band - 1] for band in self.bands)

    @property
    def training(self) -> Sampler | tuple[Chip, ...]:
        """Sampler on the training ground; chips where they were dealt by chance."""
        return self.parts.training

    @property
    def validation(self) -> tuple[Chip, ...]:
        """Validation chips, with disjoint cores."""
        return self.parts.validation

    @property
    def held_out(self) -> tuple[Chip, ...]:
        """Held-out chips, with disjoint cores."""
        return self.parts.held_out

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Labelled pixels of each class, by part, (K,)."""
        return self.parts.counts

    @property
    def leaks(self) -> int:
        """Training chips that lie too near to a held-out chip."""
        return self.parts.leaks

    @property
    def split(self) -> Split | None:
        """Cells of each part; None where chips were dealt by chance."""
        return self.parts.split

    @property
    def split_text(self) -> str:
        """How the split was made, one sentence."""
        return self.parts.text

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.bands)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)


def open_data(settings: TrainSettings, *, on_progress: OnProgress | None = None) -> TrainingData:
    """Open scenes and labels, split them, and measure the training ground.

    Labels are read once to count them, and training ground once to measure it, both in bounded
    memory.

    Parameters
    ----------
    settings : TrainSettings
        What to learn from.
    on_progress : callable, optional
        Called with (rows done, rows): each row of a scene counts twice.

    Returns
    -------
    TrainingData
        For `loader` and `ChipReader`.

    Raises
    ------
    WorkbenchError
        Whatever is wrong with scenes or labels, in one sentence.
    TilingError
        If the split leaves a part without ground.
    """
    scenes = open_scenes(settings.scenes)
    bands = same_bands(scenes, settings.bands)
    labels = open_label_maps(settings, scenes)
    classes = labels.legend.classes
    origins = find_origins(scenes, settings.positions, buffer=_buffer(settings))
    ground = Ground(scenes, bands, settings.nodata, labels.sources)
    n_rows = sum(scene.shape[0] for scene in scenes)
    indexes = _count_labels(settings, ground, len(classes), origins, _part_of(on_progress, n_rows))
    _refuse_empty(indexes, settings)
    parts = make_parts(settings, ground, indexes, origins=origins, classes=classes)
    pixel_bytes = len(bands) * np.dtype(scenes[0].dtype).itemsize
    statistics = measure_bands(
        ground,
        parts.areas(indexes, pixel_bytes=pixel_bytes),
        parts.mask,
        seed=settings.split.seed,
        on_area=_second_half(on_progress, n_rows),
    )
    pixel_size, unlike = _pixel_size(settings, scenes)
    flat = _constant_bands(scenes[0], bands, statistics)
    warnings = (*labels.warnings, *origins.warnings, *parts.warnings, *unlike, *flat)
    return TrainingData(
        settings, ground, classes, indexes, origins.places, statistics, parts, pixel_size, warnings
    )


def _buffer(settings: TrainSettings) -> int:
    given = settings.split.buffer
    return settings.tile if given is None else max(given, settings.tile)


def _part_of(on_progress: OnProgress | None, n_rows: int) -> Callable[[int], None]:
    return lambda done: on_progress(done, 2 * n_rows) if on_progress else None


def _second_half(on_progress: OnProgress | None, n_rows: int) -> Callable[[int, int], None]:
    report = _part_of(on_progress, n_rows)
    return lambda done, of: report(n_rows + n_rows * done // of)


def _count_labels(
    settings: TrainSettings,
    ground: Ground,
    n_classes: int,
    origins: Origins,
    on_row: Callable[[int], None],
) -> tuple[LabelIndex, ...]:
    found, before = [], 0
    with GroundReader(ground) as reader:
        for number, scene in enumerate(ground.scenes):

            def read(window: Window, number: int = number, before: int = before) -> LabelMap:
                labels = reader.labels(number, window)
                on_row(before + window.row + window.height)
                return labels

            origin = origins.places[number] if origins.places else None
            cell = settings.tile // 4
            index = index_labels(read, scene.shape, cell=cell, n_classes=n_classes, origin=origin)
            found.append(index)
            before += scene.shape[0]
    return tuple(found)


def _refuse_empty(indexes: Sequence[LabelIndex], settings: TrainSettings) -> None:
    if not any(index.counts.any() for index in indexes):
        raise UsageError(
            f"the labels, {', '.join(settings.labels[:3])}, give no pixel of the "
            f"{len(indexes)} scene{'s' if len(indexes) > 1 else ''} a class: check that they lie "
            "on data of the scenes, label_column, and unlabelled"
        )


def _pixel_size(
    settings: TrainSettings, scenes: Sequence[Scene]
) -> tuple[float | None, tuple[str, ...]]:
    """Pixel size of the scenes, m, and a warning where they differ."""
    known = [float(np.sqrt(np.prod(s.pixel_size))) for s in scenes if s.pixel_size]
    if settings.pixel_size is not None or not known:
        return settings.pixel_size, ()
    if max(known) <= _UNLIKE * min(known):
        return round(float(np.median(known)), 6), ()
    return round(float(np.median(known)), 6), (
        f"pixels of the scenes measure from {min(known):g} to {max(known):g} m: a network learns "
        "things of one size best, so bring the scenes to one pixel size with gdalwarp -tr",
    )


def _constant_bands(
    scene: Scene, bands: Sequence[int], statistics: BandStatistics
) -> tuple[str, ...]:
    return tuple(
        f"band {bands[place]} ({scene.band_names[bands[place] - 1]}) is "
        f"{statistics.mean[place]:g} everywhere on training ground, so the network learns nothing "
        "from it: leave it out with bands"
        for place in statistics.constant
    )
