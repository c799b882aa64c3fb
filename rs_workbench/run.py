"""One run over one scene: the streaming engine, tied to a raster, a model and a journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.backends.base import Predictor
from rs_workbench.band_scaling import make_scaling
from rs_workbench.card import ModelCard
from rs_workbench.journal import Journal
from rs_workbench.layers import Finisher
from rs_workbench.planning import Plan
from rs_workbench.raster import Scene, SceneReader
from rs_workbench.thumbnail import Thumbnail
from rs_workbench.types import NODATA, Image, Mask, Pixels, Scores
from tiling import Stages, Strip, Window, list_strips, slide

OnProgress = Callable[[int, int], None]
"""Called with the tiles done and the tiles there are to do."""


@dataclass(frozen=True)
class Job:
    """What is mapped with what, and how.

    `nodata` holds the values, besides those the scene declares, that mean no data.
    `area` is that of one pixel in ha, a number or one number per row of the scene; None where
    the scene has no map units.
    """

    scene: Scene
    bands: tuple[int, ...]
    card: ModelCard
    plan: Plan
    nodata: tuple[float, ...] = ()
    save: tuple[str, ...] = ()
    area: float | NDArray[np.float64] | None = None


class SceneSource:
    """Reads windows of a scene and scales tiles as the card says.

    Scaling uses the scene's own scale and offset and the card's mean and std, never statistics
    of the tile or the scene.
    """

    def __init__(self, job: Job, thumbnail: Thumbnail | None = None) -> None:
        self.job, self.thumbnail = job, thumbnail
        self.partial = 0
        """Pixels read so far in which some bands, but not all, had no data."""
        mean, std = ([getattr(band, what) for band in job.card.bands] for what in ("mean", "std"))
        self._scaling = make_scaling(job.scene, job.bands, mean, std, fill=job.card.fill)
        self._reader: SceneReader

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Open the scene; a dataset handle belongs to one thread."""
        with SceneReader(self.job.scene, self.job.bands, nodata=self.job.nodata) as self._reader:
            yield

    def read(self, window: Window) -> tuple[Pixels, Mask]:
        """Read pixels (B, h, w) and which of them are valid; missing bands become NaN."""
        pixels, valid, missing = self._reader.read(window)
        if self.thumbnail is not None:
            self.thumbnail.take(window, pixels, valid)
        if missing is not None:
            self.partial += int(missing.any(axis=0).sum())
            pixels = np.where(missing, np.float32(np.nan), pixels)
        return pixels, valid

    def prepare(self, pixels: Pixels, valid: Mask, out: Image) -> None:
        """Scale a tile into `out`; what has no data gets the card's fill."""
        self._scaling.apply(pixels, valid, out)


def run_job(
    job: Job,
    predictor: Predictor,
    journal: Journal,
    *,
    thumbnail: Thumbnail | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Predict every strip that the journal does not have yet.

    Parameters
    ----------
    job : Job
        What to do.
    predictor : Predictor
        The model.
    journal : Journal
        Takes the finished strips; its layers must be open.
    thumbnail : Thumbnail, optional
        Takes what the quick look will show of the scene.
    on_progress : callable, optional
        Called now and then with (tiles done, tiles to do).

    Raises
    ------
    WorkbenchError
        If reading, predicting or writing fails; what is finished stays finished.
    """
    grid = job.plan.grid(job.scene.shape)
    panels = job.plan.panels(grid)
    first = len(journal.strips)
    todo = list_strips(grid, panels)[first:]
    count = _Counter(sum(len(strip.tiles) for strip in todo), on_progress)
    source, finisher = SceneSource(job, thumbnail), Finisher(job.card, job.save)

    def predict(batch: Image) -> Scores:
        scores = predictor.predict(batch)
        count.add(len(batch))
        return scores

    def write(strip: Strip, window: Window, layers: tuple[Any, ...], skipped: int) -> None:
        count.add(skipped)
        partial, source.partial = source.partial, 0
        facts = {"tiles": len(strip.tiles), "skipped": skipped, "partial": partial}
        classes = _count_classes(layers[0][0], window, job.area)
        journal.finish_strip(window, layers, {**facts, **classes})

    stages = Stages(
        source.read,
        source.prepare,
        predict,
        finisher.finish,
        finisher.blank,
        write,
        source.reading,
    )
    slide(
        grid,
        stages,
        panels=panels,
        batch=job.plan.batch,
        taper="gaussian" if job.plan.blend == "gaussian" else "hann",
        first=first,
        row_step=job.plan.row_step,
    )


class _Counter:
    """Adds up tiles from two threads."""

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self.done, self.total, self.on_progress = 0, total, on_progress
        self._lock = threading.Lock()

    def add(self, tiles: int) -> None:
        with self._lock:
            self.done += tiles
            if self.on_progress is not None and tiles:
                self.on_progress(min(self.done, self.total), self.total)


def _count_classes(
    labels: NDArray[np.uint8], window: Window, area: float | NDArray[np.float64] | None
) -> dict[str, Any]:
    """Count pixels and hectares of each class in finished rows."""
    rows = np.stack([np.bincount(row, minlength=NODATA + 1) for row in labels])
    counts = rows.sum(axis=0)
    present = [int(v) for v in np.flatnonzero(counts)]
    facts: dict[str, Any] = {"pixels": {str(v): int(counts[v]) for v in present}}
    if area is not None:
        by_row = area[window.slices[0]] if isinstance(area, np.ndarray) else area
        hectares = np.broadcast_to(by_row, (window.height,)) @ rows
        facts["area_ha"] = {str(v): float(hectares[v]) for v in present}
    return facts


def sum_facts(strips: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add up what the journal holds of each strip.

    Parameters
    ----------
    strips : sequence of dict
        Facts of the finished strips.

    Returns
    -------
    dict
        `tiles`, `skipped`, `partial`, and `pixels` and `area_ha` by class value.
    """
    total: dict[str, Any] = {"tiles": 0, "skipped": 0, "partial": 0, "pixels": {}, "area_ha": {}}
    for facts in strips:
        for key in ("tiles", "skipped", "partial"):
            total[key] += facts[key]
        for key in ("pixels", "area_ha"):
            for value, number in facts.get(key, {}).items():
                total[key][int(value)] = total[key].get(int(value), 0) + number
    return total
