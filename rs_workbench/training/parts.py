"""make_parts: training, validation and held-out chips of all scenes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.training.ground import Ground, GroundReader
from rs_workbench.training.named_parts import parts_by_name
from rs_workbench.training.origins import Origins
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.statistics import near_labels, training_areas
from rs_workbench.types import Mask
from tiling.chips import Chip, grid_positions
from tiling.cover import cover_chips
from tiling.label_index import LabelIndex
from tiling.leaks import check_split, find_leaks, random_split
from tiling.room import make_rooms
from tiling.sampler import Sampler, Sampling, make_sampler
from tiling.split import PARTS, SERVED, Part, Split, part_mask, split_named, split_scenes
from tiling.split_settings import SplitSettings
from tiling.windows import Window

Counts = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Parts:
    """Chips of each part.

    Attributes
    ----------
    training : Sampler or tuple of Chip
        Draws chips from the training ground; or chips, where they were dealt by chance.
    validation, held_out : tuple of Chip
        Their cores are disjoint.
    counts : dict of str to ndarray of int64, shape (K,)
        Labelled pixels of each class, by part.
    leaks : int
        Training chips that lie too near to a held-out chip.
    text : str
        How the split was made, one sentence.
    split : Split or None
        Cells of each part; None where chips were dealt by chance.
    warnings : tuple of str
        What the user should know.
    """

    training: Sampler | tuple[Chip, ...]
    validation: tuple[Chip, ...]
    held_out: tuple[Chip, ...]
    counts: Counts
    leaks: int
    text: str
    split: Split | None
    warnings: tuple[str, ...] = ()

    def areas(
        self, indexes: Sequence[LabelIndex], *, pixel_bytes: int
    ) -> list[tuple[int, Window]]:
        """List windows that hold training ground.

        Parameters
        ----------
        indexes : sequence of LabelIndex
            One a scene.
        pixel_bytes : int
            Bytes of a pixel, all bands.

        Returns
        -------
        list of (int, Window)
            Scene and window.
        """
        if isinstance(self.training, tuple):
            return [(chip.scene, chip.core) for chip in self.training]
        assert self.split is not None
        tile = self.split.settings.tile
        cells = [
            near_labels(index, allowed, tile)
            for index, allowed in zip(indexes, self.split.cells("training"), strict=True)
        ]
        return training_areas(indexes, cells, pixel_bytes=pixel_bytes)

    def mask(self, scene: int, window: Window) -> Mask | None:
        """Mark the training pixels of a window.

        Parameters
        ----------
        scene : int
            Position of the scene.
        window : Window
            Pixels.

        Returns
        -------
        ndarray of bool, shape (h, w), or None
            None for all.
        """
        return part_mask(self.split, scene, window, part="training") if self.split else None


def make_parts(
    settings: TrainSettings,
    ground: Ground,
    indexes: Sequence[LabelIndex],
    *,
    origins: Origins,
    classes: Sequence[LegendClass],
) -> Parts:
    """Split scenes and lay the chips of each part.

    Parameters
    ----------
    settings : TrainSettings
        Say how.
    ground : Ground
        Scenes and labels.
    indexes : sequence of LabelIndex
        One a scene.
    origins : Origins
        Where scenes lie in one grid.
    classes : sequence of LegendClass
        K classes.

    Returns
    -------
    Parts
        By blocks, or by chance where the settings say so.

    Raises
    ------
    UsageError
        If chance leaves a part without chips.
    TilingError
        If a part is left without ground; names a smaller tile.
    """
    if settings.split.kind == "random":
        return _dealt(settings, ground, indexes, origins)
    return _by_blocks(settings, ground, indexes, origins=origins, classes=classes)


def _by_blocks(
    settings: TrainSettings,
    ground: Ground,
    indexes: Sequence[LabelIndex],
    *,
    origins: Origins,
    classes: Sequence[LegendClass],
) -> Parts:
    choice, tile = settings.split, settings.tile
    asked = SplitSettings(tile, choice.shares, choice.block, choice.buffer, choice.seed)
    wide = SplitSettings(
        tile, choice.shares, choice.block, asked.buffer_px + origins.slack, choice.seed
    )
    if choice.kind == "named":
        names = [scene.name for scene in ground.scenes]
        split = split_named(indexes, parts_by_name(names, choice), wide)
    else:
        split = split_scenes(indexes, wide)
    sampling = Sampling(
        tile,
        seed=settings.seed,
        class_share=settings.class_share,
        border_share=settings.border_share,
        class_power=settings.class_power,
    )
    sampler = make_sampler(indexes, sampling, cells=split.cells("training"))
    chips = {part: _cover(indexes, split, part) for part in PARTS}
    for giving, keeping in (
        ("training", "held_out"),
        ("training", "validation"),
        ("validation", "held_out"),
    ):
        places = origins.places
        check_split(chips[giving], chips[keeping], buffer=wide.buffer_px, origins=places)  # type: ignore[index]
    return Parts(
        sampler,
        chips["validation"],
        chips["held_out"],
        dict(zip(PARTS, split.counts, strict=False)),
        0,
        _block_text(split),
        split,
        (*_missing(split, classes), *_starved(split)),
    )


def _cover(indexes: Sequence[LabelIndex], split: Split, part: Part) -> tuple[Chip, ...]:
    tile = split.settings.tile
    return cover_chips(indexes, tile, rooms=make_rooms(indexes, tile, cells=split.cells(part)))


def _block_text(split: Split) -> str:
    how = {
        "blocks": f"by blocks of {split.block} px",
        "scenes": "by whole scenes",
        "groups": "by groups of near scenes",
        "named": "as the settings name the scenes",
        "strips": "into strips",
    }[split.how]
    return (
        f"split {how}, {split.settings.buffer_px} px apart at least: "
        f"{_shares_text(split.counts.sum(axis=1))}"
    )


def _shares_text(pixels: NDArray[np.int64]) -> str:
    shares = [f"{100 * n / pixels.sum():.0f} %" for n in pixels]
    named = ", ".join(
        f"{share} {part.replace('_', '-')}" for share, part in zip(shares, PARTS, strict=False)
    )
    lost = f", {shares[3]} between them" if len(shares) > len(PARTS) else ""
    return f"{named}{lost}, of {pixels.sum()} labelled pixels"


def _missing(split: Split, classes: Sequence[LegendClass]) -> list[str]:
    """Say which classes no pixel has, and which a part lacks."""
    found = []
    nowhere = [c.name for c, n in zip(classes, split.counts.sum(axis=0), strict=True) if not n]
    if nowhere:
        found.append(
            f"no pixel is labelled {_quoted(nowhere)}: the network cannot learn "
            f"{'it' if len(nowhere) == 1 else 'them'}; label some, or leave "
            f"{'it' if len(nowhere) == 1 else 'them'} out of classes"
        )
    lacking: dict[Part, list[str]] = defaultdict(list)
    for part, index in split.missing:
        lacking[part].append(classes[index].name)
    for part, names in lacking.items():
        effect = {
            "training": "the network cannot learn what it is never shown",
            "validation": "the choice of the best epoch does not see it",
            "held_out": "its accuracy stays unknown",
        }[part]
        found.append(
            f"the {part.replace('_', '-')} part has no pixel of {_quoted(names)}, so {effect}: "
            "label more of it elsewhere, or try a smaller tile or another seed of the split"
        )
    return found


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _starved(split: Split) -> list[str]:
    """Warn where the buffer leaves a part less than half of what was asked."""
    if split.how == "named":
        return []
    total = split.counts.sum()
    for part, asked, counts in zip(PARTS, split.settings.shares, split.counts, strict=False):
        if counts.sum() < SERVED * asked * total:
            tile = max(split.settings.tile // 2, 1)
            return [
                f"only {100 * counts.sum() / total:.0f} % of the labelled pixels are left for "
                f"{part.replace('_', '-')}, where {100 * asked:.0f} % were asked: the rest lies "
                f"within the buffer; a smaller tile, such as {tile}, or more scenes leave more"
            ]
    return []


def _dealt(
    settings: TrainSettings,
    ground: Ground,
    indexes: Sequence[LabelIndex],
    origins: Origins,
) -> Parts:
    """Deal chips to parts by chance, and count the leaks."""
    choice, tile = settings.split, settings.tile
    with GroundReader(ground) as reader:
        counted = [
            (chip, np.bincount(reader.labels(chip.scene, chip.core).ravel(), minlength=256))
            for chip in grid_positions([index.shape for index in indexes], tile)
        ]
    n_classes = indexes[0].n_classes
    pixels = {chip: found[:n_classes] for chip, found in counted if found[:n_classes].any()}
    dealt = random_split(list(pixels), choice.shares, seed=choice.seed)
    chips = dict(zip(PARTS, dealt, strict=True))
    empty = [p for p, share in zip(PARTS, choice.shares, strict=True) if share and not chips[p]]
    if empty:
        raise UsageError(
            f"{len(pixels)} chips of tile={tile} px with labels are too few to deal to three "
            f"parts: choose a smaller tile, such as tile={max(tile // 2, 1)}, or add scenes"
        )
    none = np.zeros(n_classes, np.int64)
    counts: Counts = {
        part: np.asarray(sum((pixels[chip] for chip in found), none))
        for part, found in chips.items()
    }
    leaks = find_leaks(
        chips["training"], chips["held_out"], buffer=tile + origins.slack, origins=origins.places
    )
    shares = _shares_text(np.stack([counts[part].sum() for part in PARTS]))
    text = (
        f"split by chance, chip by chip: {shares}; {leaks.sum()} of {len(leaks)} training chips "
        f"lie within {tile} px of held-out ground"
    )
    training, validation, held_out = dealt
    return Parts(training, validation, held_out, counts, int(leaks.sum()), text, split=None)
