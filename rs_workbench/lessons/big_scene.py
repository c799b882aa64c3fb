"""A large scene made of tiles, mapped under a memory limit and assessed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import mean_iou, overall_accuracy
from rs_workbench.assess import assess_map
from rs_workbench.card import LegendClass, read_card
from rs_workbench.errors import ModelError, UsageError, WorkbenchError
from rs_workbench.maps import write_class_names, write_qml
from rs_workbench.raster_scene import open_scene
from rs_workbench.raster_tiles import write_tile_rows
from tiling.label_index import IGNORE

SCENE, REFERENCE = "big_scene.tif", "big_scene_reference.tif"
MAP, ASSESSMENT = "big_scene_classes.tif", "big_scene_accuracy"
GIB = 2**30


@dataclass(frozen=True)
class Mapped:
    """A large scene that was mapped.

    Attributes
    ----------
    class_map : Path
        The map.
    report : Path
        The page of its accuracy.
    overall_accuracy, mean_iou : float
        Against the whole reference.
    peak_mib : float
        Most memory that ``rsw infer`` held, MiB.
    whole_gib : float
        What scene and scores of the whole would take at once as float32, GiB, before a single
        feature map of the network.
    """

    class_map: Path
    report: Path
    overall_accuracy: float
    mean_iou: float
    peak_mib: float
    whole_gib: float


def write_big_scene(
    folder: str | Path,
    images: NDArray[np.generic],
    labels: NDArray[np.uint8],
    *,
    rows: int,
    cols: int,
    pixel_size: float,
    classes: Sequence[LegendClass],
    seed: int = 0,
    band_names: Sequence[str] = (),
    nodata: float | None = None,
) -> tuple[Path, Path]:
    """Lay tiles side by side in random order, row by row, so that memory stays flat.

    Parameters
    ----------
    folder : str or Path
        Where to; made where it is missing.
    images : ndarray, shape (N, B, H, W)
        Tiles in scene units.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes, `IGNORE` where nothing is known.
    rows, cols : int
        Tiles down and across.
    pixel_size : float
        m.
    classes : sequence of LegendClass
        Their values stand in the reference, their names and colours beside it.
    seed : int
        Of the order. Every tile comes once before any comes twice.
    band_names : sequence of str
        Descriptions of the bands.
    nodata : float, optional
        Value of the scene that means no data.

    Returns
    -------
    scene, reference : Path
        Two GeoTIFFs on one grid.

    Raises
    ------
    UsageError
        If images and labels do not belong together, or rows or cols are below 1.
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    if len(images) != len(labels) or images.shape[-2:] != labels.shape[-2:] or not len(images):
        raise UsageError(
            "a scene needs a label map of the same size for each tile: got images "
            f"{images.shape} and labels {labels.shape}"
        )
    if rows < 1 or cols < 1:
        raise UsageError(f"a scene needs at least one row and column of tiles: got {rows}, {cols}")
    folder = Path(folder)
    values = np.full(256, IGNORE, np.uint8)
    values[: len(classes)] = [entry.value for entry in classes]
    order = _order(len(images), rows * cols, seed).reshape(rows, cols)
    scene = write_tile_rows(
        folder / SCENE,
        (np.concatenate(images[row], axis=-1) for row in order),
        n_rows=rows,
        nodata=nodata,
        band_names=band_names,
        pixel_size=pixel_size,
    )
    reference = write_tile_rows(
        folder / REFERENCE,
        (values[np.concatenate(labels[row], axis=-1)][None] for row in order),
        n_rows=rows,
        nodata=IGNORE,
        band_names=("class",),
        pixel_size=pixel_size,
    )
    write_class_names(reference, tuple(classes))
    write_qml(reference, tuple(classes))
    return scene, reference


def _order(n_tiles: int, n_places: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    laps = -(-n_places // n_tiles)
    return np.concatenate([rng.permutation(n_tiles) for _ in range(laps)])[:n_places]


def map_and_assess(
    model: str | Path,
    scene: str | Path,
    reference: str | Path,
    folder: str | Path,
    *,
    memory: str = "1GB",
    options: Sequence[str] = (),
) -> Mapped:
    """Map a scene under a memory limit, and compare the map with a reference.

    Runs ``rsw infer SCENE -m MODEL --memory 1GB`` in a process of its own, so that its memory is
    not that of the training, then does what ``rsw assess MAP REFERENCE`` does.

    Parameters
    ----------
    model : str or Path
        Model file with its card.
    scene, reference : str or Path
        Rasters on one grid.
    folder : str or Path
        Where map and report go; those of an earlier run are replaced.
    memory : str
        Limit, such as ``1GB``.
    options : sequence of str
        Further options of ``rsw infer``.

    Returns
    -------
    Mapped
        Files, scores, memory.

    Raises
    ------
    WorkbenchError
        Whatever went wrong, in one sentence.
    """
    folder = Path(folder)
    card, shape = read_card(model), open_scene(scene).shape
    if card is None:
        raise ModelError(f"'{model}' has no model card: save it with one")
    peak = _infer(model, scene, folder / MAP, ("--memory", memory, *options))
    found = assess_map(folder / MAP, reference, folder / ASSESSMENT, overwrite=True)
    return Mapped(
        folder / MAP,
        folder / ASSESSMENT / "report.md",
        float(overall_accuracy(found.counts)),
        float(mean_iou(found.counts)),
        peak,
        4 * shape[0] * shape[1] * (card.n_bands + card.n_classes) / GIB,
    )


def _infer(model: str | Path, scene: str | Path, class_map: Path, options: Sequence[str]) -> float:
    """Map in another process; give its peak memory, MiB."""
    command = [sys.executable, "-m", "rs_workbench.infer", str(scene), "-m", str(model)]
    command += ["-o", str(class_map), "--overwrite", "--json", "--progress", "none"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise WorkbenchError(said[-1].removeprefix("error: "))
    return float(json.loads(done.stdout)["peak_rss_mib"])
