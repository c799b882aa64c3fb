"""fit: the loop that both frameworks learn in. It knows nothing of them but `Learner`.

After each epoch the validation chips are scored and the state is written, so that the same call
goes on after the last whole epoch and, on a CPU, ends with the same weights bit for bit.

Listeners, ``on_epoch(epoch, learner, data)``, are called after that. If the run is killed while
they work, they hear of this epoch again when it goes on: they must take an epoch twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.scores import mean_iou, overall_accuracy
from rs_workbench.errors import TrainingError
from rs_workbench.training.learner import Learner
from rs_workbench.training.processes import count_processes, leads, process_rank, wait_for_all
from rs_workbench.training.schedules import rate_at
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.state import Epoch, State, best_epoch, open_state
from rs_workbench.training.validation import count_batches

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.loader import Batch

__all__ = ["Batches", "Epoch", "Fit", "fit"]

Make = Callable[[TrainSettings], Learner]
OnEpoch = Callable[[Epoch, Learner, "TrainingData"], object]
OnStep = Callable[[int, int, int, float], object]
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Fit:
    """What a training has brought.

    Attributes
    ----------
    learner : Learner
        With the best weights.
    best : Epoch
        Theirs.
    epochs : tuple of Epoch
        All, those before a stop among them.
    settings : TrainSettings
        As asked, but `accumulate` may have grown.
    resumed : bool
        Whether the run went on with an earlier one.
    """

    learner: Learner
    best: Epoch
    epochs: tuple[Epoch, ...]
    settings: TrainSettings
    resumed: bool


class Batches(NamedTuple):
    """Where batches come from.

    Attributes
    ----------
    training : callable
        ``training(data, epoch)``: the batches of an epoch, counted from 1.
    part : callable
        ``part(data, chips)``: chips as they are.
    """

    training: Callable[[Any, int], Iterator[Batch]]
    part: Callable[[Any, Any], Iterator[Batch]]


def fit(
    make: Make,
    data: TrainingData,
    folder: Path,
    *,
    on_epoch: Sequence[OnEpoch] = (),
    on_step: OnStep | None = None,
    tell: Tell | None = None,
    batches: Batches | None = None,
) -> Fit:
    """Learn until the last epoch, or until the validation score no longer rises.

    Parameters
    ----------
    make : callable
        Makes a learner of settings; again, with more parts, where memory runs out.
    data : TrainingData
        Data and settings.
    folder : Path
        Folder of the run; the state lies in ``state`` in it.
    on_epoch : sequence of callable
        Each is called with (epoch, learner, data).
    on_step : callable, optional
        Called with (epoch, step, steps of the epoch, loss of the step), counted from 1.
    tell : callable, optional
        Takes a line for the user.
    batches : Batches, optional
        Where batches come from; by default from `rs_workbench.training.loader`.

    Returns
    -------
    Fit
        The learner, with its best weights, and all epochs.

    Raises
    ------
    TrainingError
        If the loss is no number any more, or memory does not even suffice for one chip.
    ResumeError
        If the folder holds the state of other settings or data.
    WorkbenchError
        If a file cannot be read or written; whole epochs are kept.
    """
    if not leads():
        on_epoch, on_step, tell = (), None, None
    learner = make(data.settings)
    wait_for_all(learner)  # until the first process has made the folder ready
    state = open_state(folder, data)
    run = _Run(make, data, state, batches or _loader(), on_step, tell)
    run.start(learner, state.accumulate)
    del learner  # lest it stay beside the one that may take its place
    resumed = bool(state.epochs)
    if state.told < len(state.epochs):
        _tell_listeners(run, on_epoch)
    while not _is_done(state.epochs, data.settings):
        state.keep(run.next_epoch(), run.learner)
        _tell_listeners(run, on_epoch)
    wait_for_all(run.learner)  # until the first process has written
    run.learner.load_weights(state.best)
    epochs = tuple(state.epochs)
    return Fit(run.learner, best_epoch(epochs), epochs, run.settings, resumed)


class _Run:
    """A learner on its way; a new one takes its place where memory runs out."""

    def __init__(
        self,
        make: Make,
        data: TrainingData,
        state: State,
        batches: Batches,
        on_step: OnStep | None,
        tell: Tell | None,
    ) -> None:
        self.make, self.data, self.state, self.batches = make, data, state, batches
        self.on_step, self.tell = on_step, tell
        self.settings = data.settings
        self.learner: Learner

    def start(self, learner: Learner | None, parts: int) -> None:
        """Stand where the last whole epoch ended, with a learner that computes in parts."""
        self.state.accumulate = parts
        if learner is None or parts != self.settings.accumulate:
            self.settings = self.settings.model_copy(update={"accumulate": parts})
            learner = self.make(self.settings)
        if self.state.epochs:
            learner.restore(self.state.last)
        self.learner = learner

    def next_epoch(self) -> Epoch:
        """Learn for one epoch, in more parts where memory runs out."""
        while True:
            try:
                return self._learn(len(self.state.epochs) + 1)
            except Exception as error:
                if not self.learner.is_out_of_memory(error):
                    raise
            self._back_off()  # after the error is gone, which held on to what was computed

    def _learn(self, number: int) -> Epoch:
        start = time.perf_counter()
        self.learner.start_epoch(number)
        steps = -(-self.settings.chips // self.settings.batch)
        n_chips, losses, rate = 0, [], 0.0
        for step, batch in enumerate(self.batches.training(self.data, number), 1):
            past = (number - 1) * steps + step - 1
            rate = rate_at(self.settings, past, steps * self.settings.epochs)
            losses.append(self.learner.step(batch.images, batch.labels, rate))
            if not math.isfinite(losses[-1]):
                raise _no_number(losses[-1], number, step, rate)
            n_chips += len(batch.images)
            if self.on_step is not None:
                self.on_step(number, step, steps, losses[-1])
        learnt = time.perf_counter() - start
        confusion = self._validate()
        return Epoch(
            number=number,
            loss=math.fsum(losses) / len(losses),
            rate=rate,
            seconds=time.perf_counter() - start,
            chips_per_second=n_chips / max(learnt, 1e-9),
            mean_iou=None if confusion is None else mean_iou(confusion),
            overall_accuracy=None if confusion is None else overall_accuracy(confusion),
            confusion=confusion,
        )

    def _validate(self) -> NDArray[np.int64] | None:
        chips = self.data.validation
        if not chips:
            return None
        return count_batches(
            self.learner, self.batches.part(self.data, chips), self.data.n_classes
        )

    def _back_off(self) -> None:
        settings, parts = self.settings, self.settings.accumulate
        self.learner.release()
        if count_processes() > 1:  # the others would wait for this one for ever
            raise TrainingError(
                f"memory ran out in process {process_rank()} of {count_processes()}, with a batch"
                f" of {settings.batch} chips in {parts} parts: repeat the command with"
                f" --accumulate {2 * parts}, or with a smaller --batch or --tile"
            )
        if parts >= settings.batch:
            raise TrainingError(
                f"memory does not suffice to learn from one chip of {settings.tile} px at a time:"
                " use a smaller --tile or network, or another --device"
            )
        more = min(2 * parts, settings.batch)
        if self.tell is not None:
            self.tell(
                f"memory ran out: a batch of {settings.batch} chips is computed in {more} parts"
                f" from now on, and epoch {len(self.state.epochs) + 1} begins anew"
            )
        del self.learner
        self.start(None, more)


def _tell_listeners(run: _Run, on_epoch: Sequence[OnEpoch]) -> None:
    for listener in on_epoch:
        listener(run.state.epochs[-1], run.learner, run.data)
    run.state.note_told()


def _is_done(epochs: Sequence[Epoch], settings: TrainSettings) -> bool:
    if len(epochs) >= settings.epochs:
        return True
    if not epochs or settings.patience is None:
        return False
    return len(epochs) - best_epoch(epochs).number >= settings.patience


def _no_number(loss: float, epoch: int, step: int, rate: float) -> TrainingError:
    kept = f"what was learnt until epoch {epoch - 1} is kept" if epoch > 1 else "nothing is kept"
    return TrainingError(
        f"the loss became {loss} in epoch {epoch}, step {step}, at a learning rate of {rate:.3g}"
        f" ({kept}): begin anew with --overwrite and a lower --learning-rate, or look whether"
        " labels and bands are right"
    )


def _loader() -> Batches:
    from rs_workbench.training.loader import part_batches, training_batches

    return Batches(training_batches, part_batches)
