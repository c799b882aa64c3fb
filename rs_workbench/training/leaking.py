"""Splits that leak: refused, or trained a second time on blocks to see what the leak flatters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rs_workbench.errors import UsageError

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
        All else is as it was.
    """
    split = settings.split.model_copy(update={"kind": "blocks"})
    return settings.model_copy(update={"split": split})


def compare_splits(leaking: Mapping[str, Any], blocks: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a leak flatters.

    Parameters
    ----------
    leaking, blocks : mapping
        ``result.json`` of both runs.

    Returns
    -------
    dict
        Held-out mean IoU on each split, and the difference.
    """
    with_leaks, without = (float(result["held_out"]["mean_iou"]) for result in (leaking, blocks))
    return {
        "leaks": leaking["leaks"],
        "leaking_mean_iou": with_leaks,
        "blocks_mean_iou": without,
        "flattered_by": with_leaks - without,
    }


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
    >>> comparison_text({**numbers, "leaks": 12})
    'held-out mIoU 0.700 with 12 leaking chips, 0.500 on blocks: the leak flatters it by 0.200'
    """
    return (
        f"held-out mIoU {compared['leaking_mean_iou']:.3f} with {compared['leaks']:,} leaking "
        f"chips, {compared['blocks_mean_iou']:.3f} on blocks: the leak flatters it by "
        f"{compared['flattered_by']:.3f}"
    )


def _count(data: TrainingData) -> int:
    from tiling.sampler import Sampler

    return data.settings.chips if isinstance(data.training, Sampler) else len(data.training)
