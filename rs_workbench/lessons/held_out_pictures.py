"""Pictures of a map of held-out ground, and of how chips are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rs_workbench.accuracy import confusion_matrix
from rs_workbench.lessons.confusion_picture import picture_of_confusion
from rs_workbench.lessons.cutting_pictures import picture_of_schemes
from rs_workbench.lessons.dunes import varied_labels
from rs_workbench.lessons.held_out_maps import HeldOutGround
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE

SHOWN = 6
"""Chips in a picture."""


def pictures_of_held_out(
    folder: str | Path, ground: HeldOutGround, maps: LabelMap
) -> dict[str, Path]:
    """Draw the chips with most classes, the confusion matrix of all, and ways to cut a scene.

    Parameters
    ----------
    folder : str or Path
        Where to.
    ground : HeldOutGround
        Images and labels.
    maps : ndarray of uint8, shape (N, H, W)
        Class indexes of the map.

    Returns
    -------
    dict of str to Path
        Files by their captions.
    """
    folder, classes = Path(folder), ground.data.classes
    confusion = confusion_matrix(maps, ground.labels, len(classes), ignore=IGNORE)
    kinds = np.array([len(np.unique(labels)) for labels in ground.labels])
    shown = np.argsort(-kinds, kind="stable")[:SHOWN]
    chips = picture_of_chips(
        folder / "chips.png",
        ground.images[shown][:, :3],
        ground.labels[shown],
        np.where(ground.valid[shown], maps[shown], np.uint8(IGNORE)),
        classes=classes,
    )
    matrix = picture_of_confusion(folder / "confusion.png", confusion, classes)
    labels = varied_labels(ground.data)
    return {
        "Cutting schemes": picture_of_schemes(folder / "cutting.png", labels, classes),
        "Held-out chips with labels and map": chips,
        "Rows map, columns reference": matrix,
    }
