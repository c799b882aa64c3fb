"""write_chips: chips of a training run as files, with a list that says where each is from."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import OutputError
from rs_workbench.progress import OnProgress
from rs_workbench.raster_chip import write_chip_image, write_chip_labels
from rs_workbench.training.data import TrainingData
from rs_workbench.training.ground import GroundReader
from rs_workbench.training.loader import training_chips
from rs_workbench.training.settings_file import plain_values
from rs_workbench.types import NODATA, LabelMap
from tiling.chips import Chip
from tiling.label_index import IGNORE
from tiling.split import PARTS, Part
from tiling.windows import Window

IMAGES, LABELS = "images", "labels"
MANIFEST = "manifest"
_COLUMNS = ("image", "labels", "scene", "part", "row", "col", "height", "width", "seed")


def write_chips(
    data: TrainingData,
    folder: Path,
    *,
    parts: Sequence[Part] = PARTS,
    epoch: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, int]:
    """Write chips, their labels and their list to a new folder.

    Training chips are those of an epoch, before augmentation. Labels of validation and held-out
    chips count within their cores only, so that no pixel is written twice.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.
    folder : Path
        New, or empty; appears when it is complete.
    parts : sequence of str
        Which parts.
    epoch : int
        Of the training chips.
    on_progress : callable, optional
        Called with (chips done, chips).

    Returns
    -------
    dict of str to int
        Chips written, by part.

    Raises
    ------
    OutputError
        If the folder holds anything, or cannot be written.
    WorkbenchError
        If a scene or its labels cannot be read.
    """
    chips = {part: _list_chips(data, part, epoch) for part in parts}
    numbers: dict[str, int] = {part: len(found) for part, found in chips.items()}
    with _new_folder(folder) as partial, GroundReader(data.ground) as reader:
        rows: list[list[str | int]] = []
        for part, found in chips.items():
            for number, chip in enumerate(found, 1):
                stem, cored = f"{part}_{number:06d}", part != "training"
                counts = _write_chip(reader, data, chip, partial, stem, cored=cored)
                rows.append(_row(data, part, chip, stem, counts))
                if on_progress is not None:
                    on_progress(len(rows), sum(numbers.values()))
        _write_table(partial / f"{MANIFEST}.csv", data, rows)
        facts = json.dumps(_facts(data, numbers, epoch), indent=2, ensure_ascii=False)
        (partial / f"{MANIFEST}.json").write_text(facts + "\n", encoding="utf-8")
    return numbers


def check_folder_free(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Parameters
    ----------
    folder : Path
        It need not be there.

    Raises
    ------
    OutputError
        If it is a file, or not empty.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        what = "is a file" if folder.is_file() else "is not empty"
        raise OutputError(f"'{folder}' {what}: give a new folder with --output")


def _list_chips(data: TrainingData, part: Part, epoch: int) -> Sequence[Chip]:
    if part != "training":
        return data.validation if part == "validation" else data.held_out
    with GroundReader(data.ground) as reader:
        return training_chips(data, epoch, data.settings.chips, read=reader.labels)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside the wanted one, which takes its place when all is written."""
    check_folder_free(folder)
    partial = folder.absolute().with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        for name in (IMAGES, LABELS):
            (partial / name).mkdir(parents=True)
        yield partial
        if folder.is_dir():
            folder.rmdir()
        partial.replace(folder)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"chips cannot be written to '{folder}' ({error.strerror or error}): make room or "
            "choose another --output"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_chip(
    reader: GroundReader,
    data: TrainingData,
    chip: Chip,
    folder: Path,
    stem: str,
    *,
    cored: bool,
) -> NDArray[np.int64]:
    """Write image and labels of a chip; gives its labelled pixels of each class, (K,)."""
    scene = data.scenes[chip.scene]
    rows, cols = chip.window.height - chip.padding[0], chip.window.width - chip.padding[1]
    inside = chip.window._replace(height=rows, width=cols)
    stored = reader.stored(chip.scene, inside)
    nodata = _nodata(data, chip.scene)
    side = chip.window.height, chip.window.width
    pixels = np.full((len(data.bands), *side), nodata or 0, stored.pixels.dtype)
    valid, labels = np.zeros(side, np.bool_), np.full(side, IGNORE, np.uint8)
    pixels[:, :rows, :cols], valid[:rows, :cols] = stored.pixels, stored.valid
    if nodata is not None:
        pixels[:, ~valid] = nodata
    answered = chip.core if cored else inside
    place = answered._replace(
        row=answered.row - chip.window.row, col=answered.col - chip.window.col
    )
    labels[place.slices] = reader.labels(chip.scene, answered)
    write_chip_image(
        folder / IMAGES / f"{stem}.tif",
        pixels,
        valid,
        scene=scene,
        bands=data.bands,
        window=chip.window,
        nodata=nodata,
    )
    write_chip_labels(
        folder / LABELS / f"{stem}.tif",
        _values(labels, data),
        scene=scene,
        window=chip.window,
        classes=data.classes,
    )
    return np.bincount(labels.ravel(), minlength=256)[: data.n_classes]


def _nodata(data: TrainingData, scene: int) -> float | None:
    """Nodata value of the first band, or the first that the settings name."""
    declared = data.scenes[scene].nodata[data.bands[0] - 1]
    return next(iter(data.settings.nodata), None) if declared is None else declared


def _values(indexes: LabelMap, data: TrainingData) -> LabelMap:
    """Turn class indexes into the values of the classes."""
    table = np.full(256, NODATA, np.uint8)
    table[: data.n_classes] = [entry.value for entry in data.classes]
    return table[indexes]


def _row(
    data: TrainingData, part: Part, chip: Chip, stem: str, counts: NDArray[np.int64]
) -> list[str | int]:
    window: Window = chip.window
    return [
        f"{IMAGES}/{stem}.tif",
        f"{LABELS}/{stem}.tif",
        data.scenes[chip.scene].name,
        part,
        *window,
        chip.seed,
        *counts.tolist(),
    ]


def _write_table(path: Path, data: TrainingData, rows: Sequence[Sequence[str | int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_COLUMNS, *(f"pixels {c.value} {c.name}" for c in data.classes)])
        writer.writerows(rows)


def _facts(data: TrainingData, numbers: Mapping[str, int], epoch: int) -> dict[str, Any]:
    """All that the list does not tell."""
    found = data.statistics
    per_band = zip(
        *(data.bands, data.band_names, data.wavelengths),
        *(part.tolist() for part in (found.mean, found.std, found.low, found.high)),
        strict=True,
    )
    names = ("number", "name", "wavelength_nm", "mean", "std", "low", "high")
    return {
        "chips": dict(numbers),
        "epoch": epoch,
        "split": data.split_text,
        "leaks": data.leaks,
        "classes": [entry.model_dump() for entry in data.classes],
        "pixels": {part: counts.tolist() for part, counts in data.counts.items()},
        "bands": [dict(zip(names, values, strict=True)) for values in per_band],
        "statistics_pixels": found.n_pixels,
        "scenes": [scene.path for scene in data.scenes],
        "warnings": list(data.warnings),
        "settings": plain_values(data.settings),
    }
