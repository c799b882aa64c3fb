"""Event files: the same history and pictures for TensorBoard.

The formats come from the tensorboard package and nothing else of it is loaded: its own writers
would import tensorflow wherever that is installed, beside torch, too.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rs_workbench.accuracy.scores import iou
from rs_workbench.journal import explain_disk_errors
from rs_workbench.training.pictures import picture_path

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Epoch

FOLDER = "tensorboard"


class EventFile:
    """Listener that adds each epoch to an event file in ``tensorboard/``.

    Every run of the command, so a resumed one too, has a file of its own; TensorBoard drops what
    an earlier file says of the epochs in it.

    Parameters
    ----------
    folder : Path
        Folder of the training run.

    Raises
    ------
    ImportError
        If tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary, self._writer = Event, Summary, RecordWriter
        self._start = SessionLog(status=SessionLog.START)
        self._folder = folder
        self._path: Path | None = None

    def __call__(self, epoch: Epoch, learner: Learner, data: TrainingData) -> None:
        """Add an epoch, and its picture if one was drawn."""
        values = [
            self._summary.Value(tag=tag, simple_value=value)
            for tag, value in _scalars(epoch, data)
            if value is not None and not math.isnan(value)
        ]
        picture = picture_path(self._folder, epoch.number)
        if picture.exists():
            image = self._summary.Image(encoded_image_string=picture.read_bytes(), colorspace=4)
            values.append(self._summary.Value(tag="pictures", image=image))
        self._append(summary=self._summary(value=values), step=epoch.number)

    def _append(self, **content: Any) -> None:
        with explain_disk_errors(self._folder):
            if self._path is None:
                self._path = _new_file(self._folder / FOLDER)
                self._append(file_version="brain.Event:2")
                self._append(session_log=self._start, step=content["step"])
            event = self._event(wall_time=time.time(), **content)
            with self._path.open("ab") as stream:
                self._writer(stream).write(event.SerializeToString())


def open_events(folder: Path, log: Callable[[str], None]) -> EventFile | None:
    """Open event files for TensorBoard, where that is installed.

    Parameters
    ----------
    folder : Path
        Folder of the training run.
    log : callable
        Takes one line where it is not.

    Returns
    -------
    EventFile or None
        The listener; None without the package.
    """
    try:
        return EventFile(folder)
    except ImportError:
        log("tensorboard is not installed: no event files are written (pip install tensorboard)")
        return None


def _new_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"events.out.tfevents.{time.time():.3f}.{os.getpid()}"


def _scalars(epoch: Epoch, data: TrainingData) -> Iterator[tuple[str, float | None]]:
    yield "training/loss", epoch.loss
    yield "training/rate", epoch.rate
    yield "training/chips_per_second", epoch.chips_per_second
    yield "validation/mean_iou", epoch.mean_iou
    yield "validation/overall_accuracy", epoch.overall_accuracy
    if epoch.confusion is not None:
        scores = iou(epoch.confusion).tolist()
        for entry, score in zip(data.classes, scores, strict=True):
            yield f"validation_iou/{entry.name}", score
