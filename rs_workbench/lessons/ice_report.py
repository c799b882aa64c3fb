"""What the lessons on sea ice put into their reports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import overall_accuracy
from rs_workbench.card import LegendClass
from rs_workbench.lessons.big_scene import Mapped
from rs_workbench.lessons.confusion_picture import picture_of_confusion
from rs_workbench.lessons.image_pairs import ImagePairs
from rs_workbench.lessons.map_picture import picture_of_map
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.thresholds import baselines, tile_histograms
from rs_workbench.lessons.tile_scores import score_line, spread_places
from rs_workbench.lessons.training_record import CURVES, training_facts
from rs_workbench.types import LabelMap

CLASSES = (
    LegendClass(value=0, name="water", name_zh="海水", color="#12355b"),
    LegendClass(value=1, name="ice", name_zh="海冰", color="#e8f1f8"),
)
_COURSE = "its notebooks; the last 200 tiles, one run"
_CARRIED = "weights carried over from an earlier training, over 30 epochs in all"
PUBLISHED = (
    Line("the course's U-Net, 31,031,745 parameters", {"OA": 0.9354}, "published", _COURSE),
    Line("the same with augmentation", {"OA": 0.9702}, "published", f"{_COURSE}; {_CARRIED}"),
)
MAP_LINE = "The map of a large scene, and how good it is: [map/report.md](map/report.md)."
DETAIL = 1024  # px of the map at full resolution: 4 x 4 tiles
BLOCKS = "\n## The network, block by block\n"
ABOUT_LABELS = """
**Ask where labels come from before you learn from them.** Part the brightness of each tile into
three classes by Otsu's rule, call the darkest class water, and compare: that is the last baseline
below. On the real tiles it agrees with nearly every label, better than a network: so the labels
*are* such a cut of each tile by itself, and nobody drew them. A network that scores well here has
learnt to imitate a rule of a few lines. Its score says nothing of ice that a person would have
drawn otherwise.
"""
ABOUT_SCENE = """
Held-out tiles side by side in random order; in a large scene each comes more than once. Position
and pixel size are made up, because the tiles have none. Neighbours are strangers: near the rim of
a tile the network looks into another picture, whose light is another, so it scores lower than on
the tiles alone. The map was computed window by window under the memory limit.
"""


def baseline_lines(learning: ImagePairs, held_out: ImagePairs) -> list[Line]:
    """Score what needs no network.

    Parameters
    ----------
    learning : ImagePairs
        Training tiles, on which thresholds are chosen.
    held_out : ImagePairs
        Tiles that are scored.

    Returns
    -------
    list of Line
        One for each rule of `baselines`.
    """
    of_both = [tile_histograms(part.images, part.labels) for part in (learning, held_out)]
    found = baselines(of_both[0], of_both[1])
    return [score_line(name, counts, kind="baseline") for name, counts in found.items()]


def draw_pictures(
    folder: Path, training: ImagePairs, held_out: ImagePairs, found: LabelMap,
    counts: NDArray[np.int64],
) -> dict[str, Path]:  # fmt: skip
    """Draw training tiles, held-out tiles with what was found in them, matrix and curves.

    Parameters
    ----------
    folder : Path
        Where to.
    training, held_out : ImagePairs
        Tiles.
    found : ndarray of uint8, shape (N, H, W)
        Classes of the held-out tiles by the model.
    counts : ndarray of int64, shape (N, 2, 2)
        Their confusion.

    Returns
    -------
    dict of str to Path
        Files by caption.
    """
    at = spread_places(counts)
    titles = [f"accuracy {overall_accuracy(counts[place]):.3f}" for place in at]
    chips = picture_of_chips(
        folder / "held_out.png",
        held_out.images[at],
        held_out.labels[at],
        found[at],
        classes=CLASSES,
        titles=titles,
    )
    first = slice(0, 5)
    seen = picture_of_chips(
        folder / "training.png", training.images[first], training.labels[first], classes=CLASSES
    )
    total = picture_of_confusion(folder / "confusion.png", counts.sum(axis=0), CLASSES)
    curves = {"How training went": folder / CURVES} if (folder / CURVES).exists() else {}
    return {
        "Training tiles and their labels": seen,
        **curves,
        "Held-out tiles, from the worst to the best": chips,
        "Pixels of all held-out tiles": total,
    }


def data_facts(
    parts: Mapping[str, ImagePairs], *, real: bool, left_aside: str, folder: Path
) -> dict[str, object]:
    """Say what was learnt from, and how long it took.

    Parameters
    ----------
    parts : mapping of str to ImagePairs
        Tiles by what they were for.
    real : bool
        Whether they are real.
    left_aside : str
        Note on other files.
    folder : Path
        Where `keep_training` wrote, if it did.

    Returns
    -------
    dict
        For the report.
    """
    return {
        "data": "sea_ice, real" if real else "DRAWN stand-in: no figure here is one of real ice",
        "tiles": ", ".join(f"{len(part.names)} {name}" for name, part in parts.items()),
        "label pixels neither black nor white in the files": parts["training"].smeared,
        "other files": left_aside or "none",
        "intervals": "95 %, bootstrap over held-out tiles",
        **training_facts(folder),
    }


def report_map(folder: Path, scene: Path, reference: Path, mapped: Mapped, *, memory: str) -> Path:
    """Report on the map of a large scene.

    Parameters
    ----------
    folder : Path
        Where to.
    scene, reference : Path
        Rasters.
    mapped : Mapped
        Its map, scores and memory.
    memory : str
        The limit.

    Returns
    -------
    Path
        The report.
    """
    picture = picture_of_map(
        folder / "map.png", scene, mapped.class_map, CLASSES, reference=reference, detail=DETAIL
    )
    scores = {"OA": mapped.overall_accuracy, "mIoU": mapped.mean_iou}
    return write_report(
        folder,
        "Sea ice: a scene of held-out tiles",
        text=ABOUT_SCENE,
        lines=[Line("U-Net, through rsw infer and rsw assess", scores)],
        pictures={"Scene, map and reference": picture},
        facts={
            "memory limit": memory,
            "peak memory, MiB": mapped.peak_mib,
            "scene and scores at once, GiB": mapped.whole_gib,
        },
    )
