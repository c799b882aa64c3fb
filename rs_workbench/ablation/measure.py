"""What a network costs, measured once from its ``model.onnx`` and kept beside the study."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rs_workbench.ablation.speed import Speed, measure_speed
from rs_workbench.backends import hash_model
from rs_workbench.errors import WorkbenchError
from rs_workbench.training.history import write_whole


@dataclass(frozen=True)
class Cost:
    """What one tile costs, and how fast a scene is mapped; None where it could not be measured.

    Attributes
    ----------
    tile : int
        Side of the tile, px.
    macs : int or None
        Multiplications with addition of one tile.
    uncounted : tuple of str
        Operators that multiply and were not counted.
    speed : Speed or None
        As timed.
    notes : tuple of str
        Why something is missing.
    """

    tile: int
    macs: int | None
    uncounted: tuple[str, ...]
    speed: Speed | None
    notes: tuple[str, ...] = ()


def measure(model: Path, tile: int, folder: Path) -> Cost:
    """Measure a network, or read what was measured of the same file before.

    Parameters
    ----------
    model : Path
        The `.onnx` file with its card.
    tile : int
        Side of a tile, px.
    folder : Path
        Where measures are kept.

    Returns
    -------
    Cost
        What fails to be measured is None, with a note.
    """
    if not model.is_file():
        return Cost(tile, None, (), None, (f"there is no {model.name}",))
    kept = folder / f"{hash_model(model)[:16]}-{tile}.json"
    if kept.is_file():
        return _from_plain(json.loads(kept.read_text(encoding="utf-8")))
    from rs_workbench.ablation.onnx_macs import count_macs

    notes: list[str] = []
    macs = _try(lambda: count_macs(model, tile, tile), notes)
    speed = _try(lambda: measure_speed(model, tile), notes)
    cost = Cost(
        tile, macs.total if macs else None, macs.uncounted if macs else (), speed, tuple(notes)
    )
    if not notes:  # what failed is tried again
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asdict(cost), indent=2).encode())
    return cost


def _try(make: Callable[[], Any], notes: list[str]) -> Any:
    try:
        return make()
    except WorkbenchError as error:
        notes.append(str(error))
        return None


def _from_plain(found: dict[str, Any]) -> Cost:
    speed = Speed(**found["speed"]) if found["speed"] else None
    return Cost(found["tile"], found["macs"], tuple(found["uncounted"]), speed)
