"""How a training went, kept beside what it made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rs_workbench.lessons.pictures import picture_of_curves
from rs_workbench.training.history import write_whole

CURVES, TRAINING = "curves.png", "training.json"


def keep_training(folder: Path, history: Mapping[str, Sequence[float]], seconds: float) -> None:
    """Write down how a training went, with its curves.

    Parameters
    ----------
    folder : Path
        Where to; made where it is missing.
    history : mapping of str to sequence of float
        As Keras gives it.
    seconds : float
        How long it took.
    """
    content = {"seconds": round(seconds, 1), "history": history}
    write_whole(folder / TRAINING, json.dumps(content, indent=1).encode())
    picture_of_curves(folder / CURVES, history)


def training_facts(folder: Path) -> dict[str, object]:
    """Read what `keep_training` wrote.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict
        Epochs, seconds, and the last accuracy on validation, where there is one; nothing where
        no training was kept.
    """
    path = folder / TRAINING
    if not path.exists():
        return {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    history = kept["history"]
    facts = {"epochs": len(history["loss"]), "seconds of training": kept["seconds"]}
    if "val_accuracy" in history:
        facts["validation accuracy"] = history["val_accuracy"][-1]
    return facts
