"""The state of an unfinished training, from which the same command goes on.

It lies in ``state`` in the folder of the run:

- ``last_0007``: all that the learner wrote after epoch 7, the last whole one;
- ``best_0005``: the weights of the best epoch;
- ``epochs.json``: what was asked, and every epoch. It is replaced in one step after both files
  are there, and only then are those of earlier epochs removed. So whenever a process is killed,
  the state is that of a whole epoch, and what else lies about is not looked at.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import ResumeError
from rs_workbench.journal import explain_disk_errors
from rs_workbench.training.learner import Learner
from rs_workbench.training.processes import leads
from rs_workbench.training.run_folder import FREE, STATE

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData

EPOCHS = "epochs.json"


@dataclass(frozen=True, eq=False)
class Epoch:
    """What one epoch brought.

    Attributes
    ----------
    number : int
        From 1.
    loss : float
        Mean of its steps.
    rate : float
        Learning rate of its last step.
    seconds : float
        For learning and validation.
    chips_per_second : float
        While learning.
    mean_iou, overall_accuracy : float or None
        Of the validation chips; None where no pixel of theirs has a label.
    confusion : ndarray of int64, shape (K, K), or None
        Of the validation chips: rows map, columns reference.
    """

    number: int
    loss: float
    rate: float
    seconds: float
    chips_per_second: float
    mean_iou: float | None
    overall_accuracy: float | None
    confusion: NDArray[np.int64] | None


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Find the epoch whose weights are kept.

    Parameters
    ----------
    epochs : sequence of Epoch
        At least one.

    Returns
    -------
    Epoch
        The first with the best mean IoU; the last, where none has one.
    """
    scored = [epoch for epoch in epochs if epoch.mean_iou is not None]
    return max(scored, key=lambda epoch: epoch.mean_iou or 0.0) if scored else epochs[-1]


@dataclass
class State:
    """What a training has reached; see the module for how it is kept.

    Attributes
    ----------
    folder : Path
        Where it lies.
    asked : dict
        What determines the result.
    accumulate : int
        Parts that a batch was last computed in.
    epochs : list of Epoch
        All whole ones.
    told : int
        The last epoch that all listeners have heard of.
    """

    folder: Path
    asked: dict[str, Any]
    accumulate: int
    epochs: list[Epoch] = field(default_factory=list)
    told: int = 0

    @property
    def last(self) -> Path:
        """What the learner wrote after the last whole epoch."""
        return self.folder / f"last_{self.epochs[-1].number:04d}"

    @property
    def best(self) -> Path:
        """Weights of the best epoch."""
        return self.folder / f"best_{best_epoch(self.epochs).number:04d}"

    def keep(self, epoch: Epoch, learner: Learner) -> None:
        """Add a whole epoch.

        Parameters
        ----------
        epoch : Epoch
            What it brought.
        learner : Learner
            As it is after it.

        Raises
        ------
        OutputError
            If the disk is full, or the folder cannot be written to.
        """
        self.epochs.append(epoch)
        if not leads():
            return
        with explain_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            learner.save(self.last)
            if best_epoch(self.epochs) is epoch:
                learner.save_weights(self.best)
            self._write()
            self._remove_earlier()

    def note_told(self) -> None:
        """Note that the listeners have heard of the last epoch."""
        self.told = len(self.epochs)
        if leads():
            with explain_disk_errors(self.folder):
                self._write()

    def _write(self) -> None:
        content = {
            "asked": self.asked,
            "accumulate": self.accumulate,
            "told": self.told,
            "epochs": [_plain(epoch) for epoch in self.epochs],
        }
        part = self.folder / f"{EPOCHS}.part"
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(self.folder / EPOCHS)

    def _remove_earlier(self) -> None:
        used = (self.last.name, self.best.name)
        for path in [*self.folder.glob("last_*"), *self.folder.glob("best_*")]:
            if not path.name.startswith(used):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def open_state(folder: Path, data: TrainingData) -> State:
    """Read what an earlier run of the same settings and data has reached.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    data : TrainingData
        Data and settings.

    Returns
    -------
    State
        Without epochs where no run began.

    Raises
    ------
    ResumeError
        If it is the state of other settings or data, or cannot be read.
    """
    place, asked = folder / STATE, list_asked(data)
    new = State(place, asked, data.settings.accumulate)
    if not (place / EPOCHS).exists():
        return new
    try:
        found = json.loads((place / EPOCHS).read_text(encoding="utf-8"))
        epochs = [_epoch(values) for values in found["epochs"]]
        parts = max(int(found["accumulate"]), new.accumulate)
        state = State(place, dict(found["asked"]), parts, epochs, int(found["told"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(
            f"the state of the unfinished training in '{place}' cannot be read: begin anew with"
            " --overwrite"
        ) from error
    _compare(place, state.asked, asked)
    return state


def list_asked(data: TrainingData) -> dict[str, Any]:
    """List what determines the result of a training.

    Parameters
    ----------
    data : TrainingData
        Data and settings.

    Returns
    -------
    dict
        Settings, without those that change nothing; the scenes' files, their sizes and times of
        change; and the labelled pixels of each class and part. Plain values.
    """
    asked = data.settings.model_dump(mode="json", exclude={*FREE, "accumulate"})
    asked["files"] = [[s.path, s.size_bytes, s.mtime] for s in data.scenes]
    asked["labelled pixels"] = {part: counts.tolist() for part, counts in data.counts.items()}
    return json.loads(json.dumps(asked))  # type: ignore[no-any-return]


def _compare(place: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            raise ResumeError(
                f"the unfinished training in '{place.parent}' has {key} {before.get(key)!r}, this"
                f" one {now.get(key)!r}: repeat the first command to finish it, or begin anew"
                " with --overwrite"
            )


def _plain(epoch: Epoch) -> dict[str, Any]:
    counts = epoch.confusion
    return vars(epoch) | {"confusion": None if counts is None else counts.tolist()}


def _epoch(values: dict[str, Any]) -> Epoch:
    counts = values["confusion"]
    kept = None if counts is None else np.array(counts, np.int64)
    return Epoch(**values | {"confusion": kept})
