"""Splits that leak: refused, or trained a second time on blocks to see what the leak flatters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.accuracy.scores import mean_iou
from rs_workbench.errors import UsageError
from tiling.chips import Chip
from tiling.label_index import IGNORE
from tiling.room import holds, make_rooms

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.settings import TrainSettings

LEAKS = "leaks.json"


def refuse_leaks(data: TrainingData) -> None:
    """Refuse a split whose score would tell how well the network remembers.

    Parameters
    ----------
    data : TrainingData
        With its leaks counted.

    Raises
    ------
    UsageError
        If a training chip shares ground with held-out chips or lies next to them.
    """
    if data.leaks:
        raise UsageError(
            f"{data.leaks:,} of {_count(data):,} training chips overlap or lie near held-out "
            "chips, so the score would tell how well the network remembers, not how well it "
            "maps: leave out --split random, or add --allow-leaks to learn what that flatters"
        )


def on_blocks(settings: TrainSettings) -> TrainSettings:
    """Split by blocks what was split at random.

    Parameters
    ----------
    settings : TrainSettings
        Of the run that leaks.

    Returns
    -------
    TrainSettings
        Chips are drawn anywhere on labelled ground, as chips dealt by chance are: all else is as
        it was.
    """
    split = settings.split.model_copy(update={"kind": "blocks"})
    drawn = {"class_share": 0.0, "border_share": 0.0}
    return settings.model_copy(update={"split": split, **drawn})


def compare_splits(
    leaking: tuple[Path, TrainingData], blocks: tuple[Path, TrainingData]
) -> dict[str, Any]:
    """Say what a leak flatters: score both networks on ground that both splits hold out.

    Neither network has learnt from these chips; but the first has learnt from their neighbours.
    Each split's own held-out score is of other ground, so those two cannot be compared.

    Parameters
    ----------
    leaking, blocks : tuple of (Path, TrainingData)
        Folder of each finished run, and what it learnt from.

    Returns
    -------
    dict
        Leaking chips, pixels that both hold out, mean IoU of both networks there and the
        difference; None for these three where there is no such pixel.
    """
    chips = held_out_by_both(leaking[1], blocks[1])
    counted = [_count_pairs(folder, data, chips) for folder, data in (leaking, blocks)]
    with_leaks, without = (mean_iou(one) if one.any() else None for one in counted)
    return {
        "leaks": leaking[1].leaks,
        "pixels": int(counted[0].sum()),
        "leaking_mean_iou": with_leaks,
        "blocks_mean_iou": without,
        "flattered_by": None if with_leaks is None or without is None else with_leaks - without,
    }


def held_out_by_both(leaking: TrainingData, blocks: TrainingData) -> tuple[Chip, ...]:
    """List the held-out chips of one split that lie in held-out blocks of the other.

    Parameters
    ----------
    leaking : TrainingData
        Split by chance.
    blocks : TrainingData
        The same scenes, split by blocks.

    Returns
    -------
    tuple of Chip
        Those that lie wholly in such blocks.
    """
    assert blocks.split is not None
    cells = blocks.split.cells("held_out")
    rooms = make_rooms(blocks.indexes, blocks.settings.tile, cells=cells)
    return tuple(
        chip
        for chip in leaking.held_out
        if holds(rooms[chip.scene], chip.window.row, chip.window.col)
    )


def _count_pairs(folder: Path, data: TrainingData, chips: Sequence[Chip]) -> NDArray[np.int64]:
    """Count what the network of a run says on chips, (K, K)."""
    from rs_workbench.backends import load_predictor
    from rs_workbench.training.loader import part_batches
    from rs_workbench.training.run_folder import read_result

    result = read_result(folder)
    network = load_predictor(folder / (result.onnx or result.model), device="cpu").predictor
    confusion = Confusion(data.n_classes, ignore=IGNORE)
    for batch in part_batches(data, chips):
        confusion.update(network.predict(batch.images).argmax(axis=1), batch.labels)
    return confusion.matrix


def write_comparison(folder: Path, compared: Mapping[str, Any]) -> None:
    """Write what a leak flatters to ``leaks.json``.

    Parameters
    ----------
    folder : Path
        Of the run that leaks.
    compared : mapping
        From `compare_splits`.
    """
    from rs_workbench.training.history import write_whole

    write_whole(folder / LEAKS, f"{json.dumps(compared, indent=2)}\n".encode())


def read_comparison(folder: Path) -> dict[str, Any] | None:
    """Read what a leak flatters.

    Parameters
    ----------
    folder : Path
        Of a run.

    Returns
    -------
    dict or None
        None where no leak was allowed.
    """
    path = folder / LEAKS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def comparison_text(compared: Mapping[str, Any]) -> str:
    """Say it for people.

    Parameters
    ----------
    compared : mapping
        From `compare_splits`.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> numbers = {"leaking_mean_iou": 0.7, "blocks_mean_iou": 0.5, "flattered_by": 0.2}
    >>> comparison_text({**numbers, "leaks": 12, "pixels": 4096})
    'on 4,096 pixels that both splits hold out: mIoU 0.700 with 12 leaking chips, 0.500 from \
blocks: the leak flatters it by 0.200'
    """
    if compared["flattered_by"] is None:
        return (
            "no labelled chip is held out by both splits, so what the leak flatters cannot be "
            "said: take a smaller --tile, or another split.seed"
        )
    return (
        f"on {compared['pixels']:,} pixels that both splits hold out: mIoU "
        f"{compared['leaking_mean_iou']:.3f} with {compared['leaks']:,} leaking chips, "
        f"{compared['blocks_mean_iou']:.3f} from blocks: the leak flatters it by "
        f"{compared['flattered_by']:.3f}"
    )


def _count(data: TrainingData) -> int:
    from tiling.sampler import Sampler

    return data.settings.chips if isinstance(data.training, Sampler) else len(data.training)
