"""The report of the hyperspectral lesson: what each line of it says, and its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import mean_iou, overall_accuracy
from rs_workbench.lessons.big_scene import Mapped
from rs_workbench.lessons.confusion_picture import picture_of_confusion
from rs_workbench.lessons.cube_chips import CubeChips, cut
from rs_workbench.lessons.few_labels import picture_bands
from rs_workbench.lessons.fold_counts import Counts, score_lines
from rs_workbench.lessons.folds import leaked_share
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.report import FIGURES, REPORT, Line, write_report
from rs_workbench.lessons.spectral_baselines import BASELINES
from rs_workbench.spectra.panels import save_plot
from rs_workbench.spectra.plots import plot_components
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.training.history import write_whole

PUBLISHED = (
    Line(
        "course, CbrrUnet, its validation",
        {"OA": 0.9369},
        "published",
        "another scene; 97 % of its validation patches have a copy in training",
    ),
    Line(
        "course, CbrrUnet, outside its training window",
        {"OA": 0.76, "mean IoU": 0.56},
        "published",
        "measured on the figure the course printed; mean IoU is of the whole scene",
    ),
    Line(
        "course, U-Net, outside its training window",
        {"OA": 0.83, "mean IoU": 0.64},
        "published",
        "measured on the figure the course printed; mean IoU is of the whole scene",
    ),
)
COURSE_TILES = 72
SHOWN = 4
MAP_HEADING = "## The map of a large scene"


@dataclass(frozen=True)
class Told:
    """What a report tells beside its table.

    Attributes
    ----------
    title : str
        Heads the page.
    chips : CubeChips
        The scene.
    split_scores : tuple of ndarray, shape (K, K)
        One classifier, with pixels dealt at random, and with chips dealt.
    facts : mapping of str to object
        How it was run.
    pictures : mapping of str to Path
        Files by their captions; those that are not there are left out.
    text : str
        Further sentences.
    """

    title: str
    chips: CubeChips
    split_scores: tuple[NDArray[np.int64], NDArray[np.int64]]
    facts: Mapping[str, object]
    pictures: Mapping[str, Path]
    text: str = ""


def write_spectral_report(folder: Path, gathered: Mapping[str, Counts], told: Told) -> Path:
    """Write the report of all folds and seeds so far.

    Parameters
    ----------
    folder : Path
        Where to.
    gathered : mapping of str to ndarray
        What `rs_workbench.lessons.fold_counts.gather_counts` gave; the first is drawn.
    told : Told
        All else.

    Returns
    -------
    Path
        ``report.md``.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    lines = score_lines(gathered, told.chips.classes, BASELINES)
    ours = gathered[lines[0].name]
    n_chips = int(ours[0].any(axis=(1, 2)).sum())
    confusion = picture_of_confusion(
        folder / "confusion.png", ours.sum(axis=(0, 1)), told.chips.classes
    )
    pictures = {name: path for name, path in told.pictures.items() if path.is_file()}
    text = (
        f"Scored on {n_chips} tiles, each held out once by a model, and by a transform, that "
        "never saw it. *low* and *high* are a 95 % interval of the mean IoU from drawing tiles, "
        "not pixels; from so few tiles it is rather too narrow. Columns with names of classes are "
        "their IoU.\n\n"
        f"{_warning(told)}\n\n{told.text}"
    )
    facts = {**told.facts, "tiles": n_chips, "seeds": len(ours)}
    return write_report(
        folder,
        told.title,
        text=text,
        lines=[*lines, *PUBLISHED],
        pictures={**pictures, f"Rows are the map, columns the truth; {n_chips} tiles": confusion},
        facts=facts,
    )


def _warning(told: Told) -> str:
    by_pixel, by_chip = told.split_scores
    return (
        "**A warning.** Deal the labelled pixels to the same folds at random, as is often done, "
        "and the nearest labelled spectrum reaches mean IoU "
        f"{mean_iou(by_pixel):.3f}, OA {overall_accuracy(by_pixel):.3f}; deal whole tiles, and "
        f"the same classifier reaches {mean_iou(by_chip):.3f} and "
        f"{overall_accuracy(by_chip):.3f}. Nothing was learnt better: neighbours were found "
        "again. The course copied and mirrored its patches before it split them, so that "
        f"{leaked_share(COURSE_TILES):.0%} of its validation had a copy in training."
    )


def pictures_of_data(
    folder: Path, chips: CubeChips, transform: LinearTransform, shown: NDArray[np.intp]
) -> dict[str, Path]:
    """Draw the tiles and what the transform makes of them.

    Parameters
    ----------
    folder : Path
        Where to.
    chips : CubeChips
        The scene.
    transform : LinearTransform
        Of one fold.
    shown : ndarray of intp
        Chips to draw; the first six are.

    Returns
    -------
    dict of str to Path
        Files by their captions.
    """
    windows = [chips.windows[index] for index in shown[:6]]
    seen = np.nan_to_num(chips.cube.with_bands(picture_bands(chips)).read().values)
    tiles = picture_of_chips(
        folder / "tiles.png",
        cut(seen, windows),
        cut(chips.labels, windows),
        classes=chips.classes,
    )
    bands = transform.bands_of(chips.cube).read()
    components = transform.apply(np.nan_to_num(bands.values))
    figure = plot_components(
        transform, components[:SHOWN], bands.valid, used=transform.n_components
    )
    eigenvalues = save_plot(figure, folder / "components.png")
    return {
        "Tiles of the scene, and what is known of them": tiles,
        "Eigenvalues, and the first components of the whole scene": eigenvalues,
    }


def add_map(folder: Path, mapped: Mapped, picture: Path) -> Path:
    """Add to the report how a large scene was mapped.

    Parameters
    ----------
    folder : Path
        Where the report is; without one, only the figures are written.
    mapped : Mapped
        What `rs_workbench.lessons.big_scene.map_and_assess` gave.
    picture : Path
        The map, drawn; in the folder.

    Returns
    -------
    Path
        ``figures.json``.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    figures, page = folder / FIGURES, folder / REPORT
    found = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    found["map"] = {
        "overall_accuracy": mapped.overall_accuracy,
        "mean_iou": mapped.mean_iou,
        "peak_mib": mapped.peak_mib,
        "whole_gib": mapped.whole_gib,
    }
    write_whole(figures, json.dumps(found, indent=2, ensure_ascii=False).encode())
    if page.is_file():
        before = page.read_text(encoding="utf-8").partition(MAP_HEADING)[0]
        text = (
            f"{before.rstrip()}\n\n{MAP_HEADING}\n\nThe scene is laid of held-out tiles, with all "
            "its raw bands: the transform is the first layer of the model. Scene and scores would "
            f"take {mapped.whole_gib:.2f} GiB at once; the process held "
            f"{mapped.peak_mib / 1024:.2f} GiB at most, framework and all. Overall accuracy "
            f"{mapped.overall_accuracy:.3f}, mean IoU {mapped.mean_iou:.3f}: of one fold's few "
            "tiles, so believe the table above instead.\n\n![Scene, map and reference]"
            f"({picture.name})\n"
        )
        write_whole(page, text.encode())
    return figures
