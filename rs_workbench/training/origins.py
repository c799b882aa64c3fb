"""find_origins: where scenes lie in one grid, so that neighbours never fall into different parts.

A split keeps a buffer between its parts. It can do so across scenes only if it knows where they
lie: from their georeference, or from their file names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.raster_grid import bounds_in, same_crs, shift_and_drift
from rs_workbench.errors import SceneError, UsageError
from rs_workbench.raster_scene import Scene, crs_of

EXACT_PX = 0.02
"""Grids that differ by less are one."""
NEAR_SIZE = 0.01
"""Pixel sizes that differ by a smaller share are near enough to count in pixels of one scene."""


class Origins(NamedTuple):
    """Where scenes lie.

    Attributes
    ----------
    places : tuple of (int, int), or None
        Row and column of each scene's first pixel in one grid, px. None says that no two scenes
        show the same place or one near it, as far as is known.
    slack : int
        By how much the places may be wrong, px; the buffer must be wider by so much.
    warnings : tuple of str
        What the user should know.
    """

    places: tuple[tuple[int, int], ...] | None
    slack: int = 0
    warnings: tuple[str, ...] = ()


def find_origins(scenes: Sequence[Scene], positions: str | None, *, buffer: int) -> Origins:
    """Find where scenes lie in one grid.

    Parameters
    ----------
    scenes : sequence of Scene
        All scenes.
    positions : str or None
        Pattern of file names that tell it, such as ``{col}_{row}_``.
    buffer : int
        Least distance between parts of a split, px: scenes of different grids must lie farther
        apart.

    Returns
    -------
    Origins
        From names where there is a pattern, else from the georeference.

    Raises
    ------
    UsageError
        If a name does not fit the pattern, or only some scenes are georeferenced.
    SceneError
        If scenes of different grids overlap or lie near each other.
    """
    if positions is not None:
        return Origins(read_positions([scene.name for scene in scenes], positions))
    if len(scenes) == 1:
        return Origins(None)
    placed = [scene for scene in scenes if scene.transform is not None]
    if not placed:
        return Origins(None, warnings=(_unknown(len(scenes)),))
    if len(placed) < len(scenes):
        other = next(scene for scene in scenes if scene.transform is None)
        raise UsageError(
            f"{len(scenes) - len(placed)} of {len(scenes)} scenes have no georeference, "
            f"'{other.name}' the first, so that neighbours cannot be told: leave them out, or "
            "give the places of all scenes with positions"
        )
    return _on_first_grid(scenes) or _apart(scenes, buffer)


def _unknown(n_scenes: int) -> str:
    return (
        f"the {n_scenes} scenes have no georeference, so that neighbours cannot be told: where "
        "they are tiles of one mosaic, say how file names give their places, such as "
        "positions: '{col}_{row}_', or the held-out score flatters the network"
    )


def read_positions(names: Sequence[str], pattern: str) -> tuple[tuple[int, int], ...]:
    """Read where scenes lie in one mosaic from their file names.

    Parameters
    ----------
    names : sequence of str
        File names.
    pattern : str
        With ``{row}`` and ``{col}``, in px; may stand anywhere in the name.

    Returns
    -------
    tuple of (int, int)
        Row and column of each first pixel.

    Raises
    ------
    UsageError
        If the pattern lacks one of the two, or a name does not fit it.

    Examples
    --------
    >>> read_positions(["1216_47424_a000c.jpg"], "{col}_{row}_")
    ((47424, 1216),)
    """
    parts = re.split(r"\{(row|col)\}", pattern)
    if sorted(parts[1::2]) != ["col", "row"]:
        raise UsageError(
            "positions must name {row} and {col} once each: got "
            f"'{pattern}' (try '{{col}}_{{row}}_')"
        )
    texts = [f"(?P<{part}>\\d+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)]
    wanted = re.compile(r"(?<!\d)" * (not parts[0]) + "".join(texts) + r"(?!\d)")
    found = []
    for name in names:
        match = wanted.search(name)
        if match is None:
            raise UsageError(
                f"'{name}' does not fit positions '{pattern}': write the pattern as file names "
                "are, with {row} and {col} for whole numbers of px"
            )
        found.append((int(match["row"]), int(match["col"])))
    return tuple(found)


def _on_first_grid(scenes: Sequence[Scene]) -> Origins | None:
    """Places in the grid of the first scene; None where pixels differ too much for that."""
    first, places, worst = scenes[0], [], 0.0
    assert first.transform is not None
    for scene in scenes:
        assert scene.transform is not None
        if not same_crs(crs_of(first), crs_of(scene)):
            return None
        shift, drift = shift_and_drift(first.transform, scene.transform, scene.shape)
        if drift > NEAR_SIZE * max(scene.shape):
            return None
        nearest = np.rint(shift)
        worst = max(worst, drift + float(np.abs(shift - nearest).max()))
        places.append((int(nearest[0]), int(nearest[1])))
    if worst <= EXACT_PX:
        return Origins(tuple(places))
    slack = math.ceil(2 * worst)  # two scenes may be off in opposite directions
    warning = (
        f"the scenes do not lie on one grid: places are rounded to pixels of '{first.name}', and "
        f"the buffer between the parts is {slack} px wider"
    )
    return Origins(tuple(places), slack, (warning,))


def _apart(scenes: Sequence[Scene], buffer: int) -> Origins:
    """Refuse scenes of different grids that overlap or lie near each other."""
    boxes = _boxes(scenes)
    for i, j in combinations(range(len(scenes)), 2):
        if (boxes[i, :2] < boxes[j, 2:] + buffer).all() and (
            boxes[j, :2] < boxes[i, 2:] + buffer
        ).all():
            raise SceneError(
                f"'{scenes[i].name}' and '{scenes[j].name}' overlap or lie within {buffer} px of "
                "each other, but on different grids, so that held-out ground could be trained "
                "on: bring them to one grid first, with gdalwarp -t_srs ... -tr ... -tap"
            )
    return Origins(None)


def _boxes(scenes: Sequence[Scene]) -> NDArray[np.float64]:
    """First row and column, last row and column of each scene in pixels of the first."""
    first = scenes[0]
    assert first.transform is not None
    onto = np.linalg.inv(np.array(first.transform[:9]).reshape(3, 3))
    boxes = np.zeros((len(scenes), 4))
    for box, scene in zip(boxes, scenes, strict=True):
        left, bottom, right, top = bounds_in(scene, crs_of(first))
        corners = np.array([[left, left, right, right], [bottom, top, bottom, top], [1] * 4])
        cols, rows, _ = onto @ corners
        box[:] = rows.min(), cols.min(), rows.max(), cols.max()
    return boxes
