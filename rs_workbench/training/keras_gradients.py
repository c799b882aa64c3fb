"""The gradient of a part of a batch: compiled in tensorflow, as it comes in torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from rs_workbench.training.keras_losses import SegmentationLoss
from rs_workbench.training.keras_place import Place
from rs_workbench.training.learner import Labels
from rs_workbench.types import Image

Tensor: TypeAlias = Any


class Piece(NamedTuple):
    """What one replica computes at a time.

    `images` (n, B, H, W) are scaled, `labels` (n, H, W) class indexes; the loss is weighted by
    `share`.
    """

    images: Image
    labels: Labels
    share: float


Gradients: TypeAlias = Callable[[Sequence[Piece]], tuple[Tensor, list[Tensor]]]


def make_gradients(
    model: keras.Model,
    loss: SegmentationLoss,
    scale: Callable[[Tensor], Tensor],
    place: Place,
) -> Gradients:
    """Make the function that computes loss and gradient of some chips.

    Parameters
    ----------
    model : keras.Model
        (N, H, W, B) to (N, H, W, K), logits; built in the scope of the place.
    loss : SegmentationLoss
        What is to be made small.
    scale : callable
        Enlarges a loss before its gradient is taken, which only float16 needs.
    place : Place
        Where.

    Returns
    -------
    callable
        Takes one piece for each replica. Gives the sum of their weighted losses, and the gradient
        of what `scale` makes of it with respect to each trainable variable. The loss is NaN where
        a gradient is not finite, except under float16, whose optimiser sees to that.
    """

    def weighted(images: Tensor, labels: Tensor, share: Tensor) -> Tensor:
        logits = model(ops.transpose(images, (0, 2, 3, 1)), training=True)
        total = loss.call(labels, ops.cast(logits, "float32"))
        return share * (total + sum(ops.cast(extra, "float32") for extra in model.losses))

    def checked(total: Tensor, gradients: list[Tensor]) -> Tensor:
        # on a CPU tensorflow's ReLU makes 0 of NaN, so that the loss may not show it
        if place.policy == "mixed_float16":
            return total
        good = ops.isfinite(sum(ops.sum(gradient) for gradient in gradients))
        return ops.where(good, total, float("nan"))

    on_backend = _on_torch if keras.backend.backend() == "torch" else _on_tensorflow
    return on_backend(model, weighted, scale, checked, place)


def _on_tensorflow(
    model: keras.Model,
    weighted: Callable[..., Tensor],
    scale: Callable[[Tensor], Tensor],
    checked: Callable[[Tensor, list[Tensor]], Tensor],
    place: Place,
) -> Gradients:
    tf = sys.modules["tensorflow"]
    variables = [variable.value for variable in model.trainable_variables]

    def of_piece(images: Tensor, labels: Tensor, share: Tensor) -> tuple[Tensor, list[Tensor]]:
        with tf.GradientTape() as tape:
            total = weighted(images, labels, share)
            scaled = scale(total)
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(scaled, variables, unconnected_gradients=zero)
        return checked(total, found), found

    def of_replicas(*piece: Tensor) -> tuple[Tensor, list[Tensor]]:
        def added(*mine: Tensor) -> Any:
            return tf.distribute.get_replica_context().all_reduce("SUM", of_piece(*mine))

        return tf.nest.map_structure(
            lambda everywhere: place.strategy.experimental_local_results(everywhere)[0],
            place.strategy.run(added, args=piece),
        )

    def tensors(piece: Piece) -> tuple[Tensor, ...]:
        images, labels, share = piece
        return tf.constant(images), tf.constant(labels), tf.constant(share, tf.float32)

    compiled = tf.function(of_replicas if place.strategy else of_piece, autograph=False)

    def gradients(pieces: Sequence[Piece]) -> tuple[Tensor, list[Tensor]]:
        if place.strategy is None:
            with place.scope():
                return compiled(*tensors(pieces[0]))
        all_tensors = [tensors(piece) for piece in pieces]
        spread = place.strategy.experimental_distribute_values_from_function
        return compiled(
            *(
                spread(lambda at, k=k: all_tensors[at.replica_id_in_sync_group][k])
                for k in range(len(Piece._fields))
            )
        )

    return gradients


def _on_torch(
    model: keras.Model,
    weighted: Callable[..., Tensor],
    scale: Callable[[Tensor], Tensor],
    checked: Callable[[Tensor, list[Tensor]], Tensor],
    place: Place,
) -> Gradients:
    torch = sys.modules["torch"]
    variables = [variable.value for variable in model.trainable_variables]

    def gradients(pieces: Sequence[Piece]) -> tuple[Tensor, list[Tensor]]:
        (piece,) = pieces
        with place.scope():
            images, labels = map(ops.convert_to_tensor, piece[:2])
            total = weighted(images, labels, piece.share)
            found = torch.autograd.grad(
                scale(total), variables, allow_unused=True, materialize_grads=True
            )
            return checked(total.detach(), found), list(found)

    return gradients
