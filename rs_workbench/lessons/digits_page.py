"""A large page of digits: written as a georeferenced scene, and how good its map is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rs_workbench.card import Band
from rs_workbench.lessons.big_scene import Mapped, write_big_scene
from rs_workbench.lessons.digits import CLASSES, PAPER, Digits, tiles_of_a_page
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.raster import SceneReader, open_scene
from rs_workbench.raster_view import map_strips
from tiling import Window
from tiling.label_index import IGNORE

TILE = 48  # px: room for a digit and some paper
PIXEL_SIZE = 1.0  # m: digits as large as houses, written on a beach
PAGE_CLASSES = (*CLASSES, PAPER)
INK = Band(name="ink", std=255, low=0, high=254)
RIGHT, WRONG = "#00913f", "#e3000f"
RINGS = "rings: the one pixel of a tile that is assessed, green where it is right, red where not"
SHOWN, SHOWN_SIDE = 4, 144  # parts of the page in the picture, and their side, px

_TEXT = """The classifier became a net that scores every pixel: its dense layers are convolutions
now, its poolings keep every place, and what comes after them looks at every second or fourth
place instead (dilation). It has the same weights and, at the centre of a digit, the same scores.
One class was added by hand: paper, where there is no ink in the middle of the window. One pixel
of each tile is assessed: the centre of its digit or, in one tile of ten, empty paper.

Around the centres the map is colourful nonsense. The classifier has only seen digits in the
middle of a window, and says something of every other window, too: a good classifier of chips is
no map of everything between them. To map all pixels, a net must learn from labels of all
pixels, as in cases 2 to 4."""


def write_page(
    folder: str | Path, digits: Digits, *, rows: int, cols: int, seed: int = 0
) -> tuple[Path, Path]:
    """Write a page of digits, each on a tile of 48 px.

    Parameters
    ----------
    folder : str or Path
        Where to.
    digits : Digits
        Images (N, 28, 28) of uint8.
    rows, cols : int
        Tiles down and across.
    seed : int
        Of the digits' order and places.

    Returns
    -------
    scene, reference : Path
        Two GeoTIFFs on one grid.
    """
    images, labels = tiles_of_a_page(digits, side=TILE, seed=seed)
    return write_big_scene(
        folder,
        images,
        labels,
        rows=rows,
        cols=cols,
        pixel_size=PIXEL_SIZE,
        classes=PAGE_CLASSES,
        seed=seed,
        band_names=(INK.name,),
    )


def report_page(
    folder: str | Path, page: tuple[Path, Path], mapped: Mapped, facts: Mapping[str, object]
) -> Path:
    """Write how good the map of a page is, with a picture of one corner.

    Parameters
    ----------
    folder : str or Path
        Where to.
    page : (Path, Path)
        The page and its reference, of `write_page`.
    mapped : Mapped
        What `map_and_assess` gave.
    facts : mapping of str to object
        What else to say.

    Returns
    -------
    Path
        ``report.md``.
    """
    score = {"overall accuracy": mapped.overall_accuracy, "mean IoU": mapped.mean_iou}
    memory = {
        "scene and scores at once would take": f"{mapped.whole_gib:.2f} GiB",
        "rsw infer took at most": f"{mapped.peak_mib:.0f} MiB",
    }
    picture = _picture(Path(folder) / "parts.png", *page, mapped.class_map)
    return write_report(
        folder,
        "A page of test digits, mapped",
        text=_TEXT,
        lines=[Line("map, at the centres of digits and of empty places", score)],
        pictures={f"parts of the page and of its map; {RINGS}": picture},
        facts={**facts, **memory},
    )


def _picture(path: Path, scene: Path, reference: Path, class_map: Path) -> Path:
    """Draw squares from the top of a scene and of its map, with what is assessed."""
    raster = open_scene(scene)
    side = min(SHOWN_SIDE, raster.shape[0], raster.shape[1] // SHOWN)
    width = side * SHOWN
    with SceneReader(raster, (1,)) as reader:
        pixels = reader.read(Window(0, 0, side, width))[0][0]
    says, known = (
        next(iter(map_strips(raster, side)))[1][:, :width] for raster in (class_map, reference)
    )
    images, maps, truth = (np.stack(np.split(one, SHOWN, axis=1)) for one in (pixels, says, known))
    rings = [
        [(row, col, RIGHT if one[row, col] == true[row, col] else WRONG) for row, col in places]
        for one, true in zip(maps, truth, strict=True)
        for places in [np.argwhere(true != IGNORE).tolist()]
    ]
    return picture_of_chips(path, images, predicted=maps, classes=PAGE_CLASSES, rings=rings)
