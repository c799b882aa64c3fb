"""Files of images and of their labels: found, paired by name, dealt to training and test.

Folders of pictures hold more than pictures (``Thumbs.db``, hidden files), and lose some. What
does not belong is left aside and named; what has no partner is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg")
HELD_OUT = 2 / 7
"""Share of the tiles that is held out: 200 of 700."""
NAMED = 3
"""Files that a message names; the others are counted."""


class PairFiles(NamedTuple):
    """Files that belong together.

    Attributes
    ----------
    images, labels : tuple of Path
        In one order: by number where names end in one, then by name.
    left_aside : tuple of str
        Names of what else lies in the folders.
    """

    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    left_aside: tuple[str, ...]

    @property
    def note(self) -> str:
        """Say what was left aside; empty where nothing was."""
        return f"left aside: {_some(self.left_aside)}" if self.left_aside else ""


def find_pairs(images: str | Path, labels: str | Path) -> PairFiles:
    """Find the images of one folder and their labels in another.

    Parameters
    ----------
    images, labels : str or Path
        Folders. Names are compared without their suffix, so that ``a.jpg`` and ``a.png`` pair.

    Returns
    -------
    PairFiles
        Every PNG and JPEG file of both folders, and the names of all else.

    Raises
    ------
    SceneError
        If a folder is missing or holds no picture, a picture has no partner, or two of one
        folder have one name.
    """
    (of_images, strays), (of_labels, more) = (_pictures(Path(one)) for one in (images, labels))
    for lone, what, folder in (
        (sorted(of_images.keys() - of_labels.keys()), "image", labels),
        (sorted(of_labels.keys() - of_images.keys()), "label", images),
    ):
        if lone:
            raise SceneError(
                f"each {what} needs a partner of the same name in '{folder}': {_some(lone)} "
                f"{'has' if len(lone) == 1 else 'have'} none (add it, or move the {what} away)"
            )
    order = sorted(of_images, key=lambda name: (tile_number(name), name))
    return PairFiles(
        tuple(of_images[name] for name in order),
        tuple(of_labels[name] for name in order),
        tuple(strays + more),
    )


def _pictures(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Give pictures by name without suffix, and what else is there."""
    if not folder.is_dir():
        raise SceneError(f"there is no folder '{folder}': name the one that holds the pictures")
    found: dict[str, Path] = {}
    strays = []
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
            strays.append(f"{folder.name}/{path.name}")
        elif path.stem in found:
            raise SceneError(
                f"'{found[path.stem].name}' and '{path.name}' in '{folder}' have one name: "
                "keep one of them"
            )
        else:
            found[path.stem] = path
    if not found:
        raise SceneError(f"'{folder}' holds no picture: files must end in {', '.join(SUFFIXES)}")
    return found, strays


def tile_number(name: str) -> int:
    """Read the number at the end of a name.

    Parameters
    ----------
    name : str
        Without suffix.

    Returns
    -------
    int
        0 where there is none.

    Examples
    --------
    >>> tile_number("sea_ice_041")
    41
    """
    digits = re.search(r"\d+$", name)
    return int(digits.group()) if digits else 0


def deal_pairs(
    files: PairFiles,
    *,
    validation: float,
    seed: int,
    tiles: int | None = None,
    held_out: int | None = None,
) -> tuple[PairFiles, PairFiles, PairFiles]:
    """Deal tiles to training, validation and held-out ground.

    The last two of every seven by number are held out: of 700 tiles those from 501 on, whatever
    the seed, as the course does. The others are mixed by the seed, then cut into training and
    validation.

    Parameters
    ----------
    files : PairFiles
        All tiles, by number.
    validation : float
        Share of the others that go to validation; at least one tile does.
    seed : int
        Of the mixing.
    tiles, held_out : int, optional
        How many to learn from (training and validation together), and how many of those held
        out; all by default.

    Returns
    -------
    training, validation, held_out : PairFiles
        Each in order.

    Raises
    ------
    UsageError
        If a part would be empty.
    """
    n = len(files.images)
    first = n - round(n * HELD_OUT)
    mixed = np.random.default_rng(seed).permutation(first)[:tiles]
    n_validation = max(1, round(len(mixed) * validation))
    places = (
        np.sort(mixed[n_validation:]),
        np.sort(mixed[:n_validation]),
        np.arange(first, n)[:held_out],
    )
    sizes = [len(one) for one in places]
    if not all(sizes):
        raise UsageError(
            "training, validation and held-out tiles need at least one each: got "
            f"{sizes[0]}, {sizes[1]} and {sizes[2]} of {n} (give more tiles, or a share of "
            "validation below 1)"
        )
    training, validation_part, last = (take_pairs(files, one) for one in places)
    return training, validation_part, last


def take_pairs(files: PairFiles, places: NDArray[np.integer]) -> PairFiles:
    """Take some pairs.

    Parameters
    ----------
    files : PairFiles
        All.
    places : ndarray of int, shape (n,)
        Which of them.

    Returns
    -------
    PairFiles
        With nothing left aside.
    """
    images, labels = (tuple(part[i] for i in places) for part in (files.images, files.labels))
    return PairFiles(images, labels, ())


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    listed = ", ".join(names[:NAMED])
    return f"{listed} and {more} more" if more > 0 else listed
