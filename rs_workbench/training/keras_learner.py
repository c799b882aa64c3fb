"""The learner in Keras, on tensorflow or on torch; read `torch_learner` beside it.

- A batch is computed in `accumulate` parts, and each part's loss is weighted by its share of the
  batch's labelled pixels (of their class weights, where there are any). So for ``cross_entropy``
  and ``focal`` the parts give the gradient of the whole. ``dice``, ``tversky`` and ``lovasz`` are
  not sums over pixels: they become means over the parts. Batch norm takes its mean over a part.
- With several GPUs one process learns on all of them through `tf.distribute.MirroredStrategy`;
  each takes every n-th chip of a part, weighted in the same way. Only on tensorflow, and not in
  float16. Running statistics of batch norms are averaged over the GPUs.
- What `predict` scores with and `export` writes is a network of its own, in float32 on one
  device, wherever the one that learns is not just that.
- Step and gradient are compiled once for each shape of a part.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from rs_workbench.backends import keras_backend
from rs_workbench.backends.keras_archive import check_recipe
from rs_workbench.backends.keras_run import device_scope, make_runner
from rs_workbench.card import ModelCard
from rs_workbench.networks import describe, find_network
from rs_workbench.training.keras_files import export_network, read_state, write_state
from rs_workbench.training.keras_gradients import Piece, Tensor, make_gradients
from rs_workbench.training.keras_losses import SegmentationLoss, make_loss
from rs_workbench.training.keras_optimizers import apply_gradients, make_optimizer
from rs_workbench.training.keras_place import Place, choose_place
from rs_workbench.training.learner import Labels, Learner
from rs_workbench.training.losses import parse_loss
from rs_workbench.training.schedules import decay_at
from rs_workbench.training.settings import TrainSettings
from rs_workbench.types import Image, Scores

SEED_STATE = "seed_generator_state"
"""What Keras calls the variable from which a dropout draws."""


def make_learner(
    settings: TrainSettings,
    n_bands: int,
    n_classes: int,
    *,
    class_weights: Sequence[float] | None = None,
) -> Learner:
    """Build the network of the settings, and all that makes it learn.

    Parameters
    ----------
    settings : TrainSettings
        Network, loss, optimiser, precision, device, seed.
    n_bands, n_classes : int
        Bands in, scores out.
    class_weights : sequence of float, shape (K,), optional
        Weight of each class in the loss.

    Returns
    -------
    KerasLearner
        With weights drawn from the seed.

    Raises
    ------
    UsageError
        If there is no such network, loss or device, or the device cannot compute so.
    MissingDependencyError
        If the network needs something that is not installed.
    UnsafeModelError
        If the network has layers with which its file could not be loaded without running code.
    """
    build = find_network(settings.network, "keras")
    loss = make_loss(parse_loss(settings.loss), n_classes, class_weights=class_weights)
    place = choose_place(settings)
    weights = np.ones(n_classes) if class_weights is None else np.asarray(class_weights)

    def network() -> keras.Model:
        with _drawn_from(settings.seed):
            return build(n_bands, n_classes, **settings.network_options)

    return KerasLearner(network, loss, settings, place=place, pixel_weights=weights)


class KerasLearner:
    """A network of Keras that learns; see `rs_workbench.training.learner.Learner`.

    Parameters
    ----------
    build : callable
        Gives the network, (N, H, W, B) to (N, H, W, K), logits; the same at every call.
    loss : SegmentationLoss
        ``loss(labels, logits)``.
    settings : TrainSettings
        How it learns.
    place : Place
        Where it learns.
    pixel_weights : ndarray, shape (K,)
        What a labelled pixel of each class weighs, by which parts of a batch are weighted.

    Raises
    ------
    UnsafeModelError
        If the network has layers with which its file could not be loaded without running code.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        loss: SegmentationLoss,
        settings: TrainSettings,
        *,
        place: Place,
        pixel_weights: NDArray[Any],
    ) -> None:
        self.device, self.settings = place.name, settings
        self._place, self._steps = place, 0
        self._pixel_weights = np.pad(pixel_weights, (0, 256 - len(pixel_weights)))
        with place.scope(), place.precision():
            self._model = build()
            self._optimizer = make_optimizer(self._model, settings, place)
        check_recipe(json.loads(self._model.to_json()), settings.network)
        self.facts = describe(self._model)
        self._kept = self._keep(build)
        scale = self._optimizer.scale_loss if place.policy == "mixed_float16" else _as_it_is
        self._gradients = make_gradients(self._model, loss, scale, place)
        self._move = _compile(self._move_weights, place)
        self._run = make_runner(keras, self._kept, place.device)

    def _keep(self, build: Callable[[], keras.Model]) -> keras.Model:
        """Give the network that `predict` uses."""
        place = self._place
        if not self.settings.average and place.policy == "float32" and place.replicas == 1:
            return self._model
        with device_scope(keras, place.device):
            kept = build()
            kept.set_weights(self._model.get_weights())
        return kept

    # Learning

    def start_epoch(self, epoch: int) -> None:
        """Set the chance of dropout from the seed and the epoch."""
        chance = np.random.SeedSequence((self.settings.seed, epoch))
        states = [v for v in self._model.variables if v.name == SEED_STATE]
        for state, word in zip(states, chance.generate_state(len(states)), strict=True):
            state.assign(np.array([word >> 1, 0]).astype(state.dtype))
        if keras.backend.backend() == "torch":  # there a dropout draws from torch's own chance
            sys.modules["torch"].manual_seed(int(chance.generate_state(1, np.uint64)[0] >> 1))

    def step(self, images: Image, labels: Labels, rate: float) -> float:
        """Learn from one batch; gives its loss.

        Parameters
        ----------
        images : ndarray of float32, shape (N, B, H, W)
            Scaled pixels.
        labels : ndarray of uint8, shape (N, H, W)
            Class indexes, 255 where nothing is known.
        rate : float
            Learning rate.

        Returns
        -------
        float
            Where it is not finite, nothing was learnt.
        """
        first, *others = self._parts(images, labels)
        total, gradients = self._gradients(first)
        for part in others:
            loss, more = self._gradients(part)
            total = total + loss
            gradients = [a + b for a, b in zip(gradients, more, strict=True)]
        loss = float(total)
        if np.isfinite(loss):
            self._optimizer.learning_rate.assign(rate)
            decay = decay_at(self.settings.average, self._steps)
            self._move(gradients, ops.convert_to_tensor(decay, "float32"))
            self._steps += 1
        return loss

    def _parts(self, images: Image, labels: Labels) -> Iterator[list[Piece]]:
        """Cut a batch into parts, and each part into pieces, one a replica."""
        whole, n = max(self._weigh(labels), 1e-30), self._place.replicas
        n_parts = min(self.settings.accumulate, len(images))
        parts = (np.array_split(array, n_parts) for array in (images, labels))
        for x, y in zip(*parts, strict=True):
            shares = [self._weigh(y[r::n]) / whole for r in range(n)]
            # a replica without a chip computes one that weighs nothing
            yield [Piece(x[r % len(x) :: n], y[r % len(x) :: n], shares[r]) for r in range(n)]

    def _weigh(self, labels: Labels) -> float:
        return float(np.bincount(labels.ravel(), minlength=256) @ self._pixel_weights)

    def _move_weights(self, gradients: list[Tensor], decay: Tensor) -> None:
        """Change the weights along the gradient, and their running mean."""
        apply_gradients(self._optimizer, self._model, gradients, self._place)
        if self._kept is self._model:
            return
        for mean, now in zip(self._kept.weights, self._model.weights, strict=True):
            value = ops.convert_to_tensor(now)
            if keras.backend.is_float_dtype(now.dtype):
                value = decay * mean + (1 - decay) * value
            mean.assign(value)

    # Predicting

    def predict(self, images: Image) -> Scores:
        """Score a batch with the weights that will be kept: (N, B, H, W) to (N, K, H, W)."""
        return self._run(np.ascontiguousarray(images, np.float32))

    # Files

    def save(self, path: Path) -> None:
        """Write weights, optimiser, running mean and the scale of gradients."""
        write_state(path, self._state(), self._steps)

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        self._steps = read_state(path, self._state())

    def save_weights(self, path: Path) -> None:
        """Write the weights that `predict` uses."""
        write_state(path, {"kept": self._kept.weights})

    def load_weights(self, path: Path) -> None:
        """Make the weights of a file those that `predict` uses and `export` writes."""
        read_state(path, {"kept": self._kept.weights})

    def export(self, folder: Path, card: ModelCard) -> Path:
        """Write ``model.keras`` with its card."""
        return export_network(self._kept, folder, card)

    def _state(self) -> dict[str, list[Any]]:
        state = {"model": self._model.variables, "optimizer": self._optimizer.variables}
        return state if self._kept is self._model else {**state, "kept": self._kept.weights}

    # Memory

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Tell whether an error means that memory ran out."""
        return keras_backend.is_out_of_memory(error)

    def release(self) -> None:
        """Give back what is held in reserve; tensorflow keeps its GPU memory until the end."""
        keras_backend.release_memory()


def _compile(move: Callable[..., None], place: Place) -> Callable[..., None]:
    """Compile what changes variables; with several GPUs it changes all copies."""
    if keras.backend.backend() == "torch":
        moved: Callable[..., None] = sys.modules["torch"].no_grad()(move)
    else:
        moved = sys.modules["tensorflow"].function(move, autograph=False)

    def run(*args: Any) -> None:
        with place.scope():
            moved(*args)

    return run


def _as_it_is(loss: Tensor) -> Tensor:
    return loss


@contextlib.contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Let Keras draw first weights from a seed: it takes theirs from Python's own chance."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
