"""The losses of `rs_workbench.training.losses` in Keras; read `torch_losses` beside it.

Only `keras.ops`, so that they run on tensorflow and on torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from rs_workbench.training.loss_settings import CrossEntropy, Dice, Focal, Lovasz, Tversky
from rs_workbench.training.losses import LossSpec, Weights, check_shapes, parse_loss, term_weights

Tensor = Any


def make_loss(
    spec: LossSpec,
    n_classes: int,
    *,
    ignore: int | None = 255,
    class_weights: Sequence[float] | None = None,
) -> SegmentationLoss:
    """Make what `keras.Model.compile` takes as its loss.

    Parameters
    ----------
    spec : LossSpec
        What `parse_loss` gave.
    n_classes : int
        K.
    ignore : int, optional
        Label of pixels that are left out; with None, all count.
    class_weights : sequence of float, shape (K,), optional
        Weight of each class in ``cross_entropy`` and ``focal``.

    Returns
    -------
    SegmentationLoss
        ``loss(labels, logits)``.

    Raises
    ------
    UsageError
        If `ignore` is also a class, or the class weights do not fit.
    """
    return SegmentationLoss(str(spec), n_classes, ignore=ignore, class_weights=class_weights)


@keras.saving.register_keras_serializable("rs_workbench")
class SegmentationLoss(keras.losses.Loss):
    """A loss of `rs_workbench.training.losses`, called as ``loss(labels, logits)``.

    Labels are (N, H, W) of any number type, logits (N, H, W, K) of any float type; or (N,) and
    (N, K). Gives a scalar of float32, under mixed precision, too. A model compiled with it is
    saved with it; import this module before such a file is loaded, or load it with
    ``compile=False``.

    Parameters
    ----------
    loss : str
        What `parse_loss` reads.
    n_classes : int
        K.
    ignore : int, optional
        Label of pixels that are left out; with None, all count.
    class_weights : sequence of float, shape (K,), optional
        Weight of each class in ``cross_entropy`` and ``focal``.
    name : str
        Name of the loss in Keras.

    Raises
    ------
    UsageError
        If the loss cannot be read, `ignore` is also a class, or the class weights do not fit.

    Notes
    -----
    With several GPUs each replica computes the loss of its own part of the batch. The argument
    ``sample_weight`` of Keras does not weigh chips: it only scales the loss.
    """

    def __init__(
        self,
        loss: str,
        n_classes: int,
        *,
        ignore: int | None = 255,
        class_weights: Sequence[float] | None = None,
        name: str = "segmentation_loss",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._spec, self._n_classes, self._ignore = parse_loss(loss), n_classes, ignore
        self._class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self._by_term = term_weights(
            self._spec, n_classes, ignore=ignore, class_weights=class_weights
        )

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        y_true : tensor, shape (N, H, W)
            Labels.
        y_pred : tensor, shape (N, H, W, K)
            Logits.

        Returns
        -------
        tensor of float32, shape ()
            The weighted sum of the terms.

        Raises
        ------
        ModelError
            If the logits do not lie on the labels.
        """
        check_shapes(y_true.shape, y_pred.shape, self._n_classes)
        pixels, good = _pixels(y_true, y_pred, self._n_classes, self._ignore)
        total = ops.zeros((), dtype="float32")
        for term, weights in zip(self._spec.terms, self._by_term, strict=True):
            total = total + term.weight * _TERMS[type(term.settings)](
                pixels, term.settings, weights
            )
        return ops.where(good, total, float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Give the arguments that make this loss again.

        Returns
        -------
        dict
            Plain values.
        """
        return {
            "loss": str(self._spec),
            "n_classes": self._n_classes,
            "ignore": self._ignore,
            "class_weights": self._class_weights,
            "name": self.name,
        }


class _Pixels(NamedTuple):
    """All pixels of a batch, P in number."""

    log_p: Tensor  # (P, K), logarithm of the softmax
    truth: Tensor  # (P, K) bool, all False where unlabelled
    labelled: Tensor  # (P, 1) bool


def _pixels(
    labels: Tensor, logits: Tensor, n_classes: int, ignore: int | None
) -> tuple[_Pixels, Tensor]:
    """Lay the pixels in a row; also tell whether every label is a class or `ignore`."""
    flat = ops.reshape(ops.cast(labels, "int32"), (-1, 1))
    labelled = ops.ones_like(flat, dtype="bool") if ignore is None else flat != ignore
    truth = ops.logical_and(flat == ops.arange(n_classes, dtype="int32"), labelled)
    # before the softmax, so that NaN under an unlabelled pixel stays there
    known = ops.where(labelled, ops.reshape(logits, (-1, n_classes)), 0.0)
    good = ops.all(ops.any(truth, axis=1, keepdims=True) == labelled)
    return _Pixels(ops.log_softmax(known, axis=1), truth, labelled), good


def _cross_entropy(pixels: _Pixels, settings: CrossEntropy, weights: Weights | None) -> Tensor:
    losses = -_of_label(pixels)
    if settings.smoothing:
        even = -ops.mean(pixels.log_p, axis=1)
        losses = (1 - settings.smoothing) * losses + settings.smoothing * even
    return _mean(losses, pixels, weights)


def _focal(pixels: _Pixels, settings: Focal, weights: Weights | None) -> Tensor:
    log_p = _of_label(pixels)
    # the slope of x**gamma at 0 is infinite for gamma < 1
    missing = ops.maximum(-ops.expm1(log_p), 1e-30)
    return _mean(-(missing**settings.gamma) * log_p, pixels, weights)


def _of_label(pixels: _Pixels) -> Tensor:
    """Give the log-probability of each pixel's own label, (P,); 0 where unlabelled."""
    return ops.sum(ops.where(pixels.truth, pixels.log_p, 0.0), axis=1)


def _mean(losses: Tensor, pixels: _Pixels, weights: Weights | None) -> Tensor:
    """Average over labelled pixels, weighted by class; 0 without any."""
    by_class = 1.0 if weights is None else ops.convert_to_tensor(weights, "float32")
    shares = ops.sum(ops.where(pixels.truth, by_class, 0.0), axis=1)
    total = ops.sum(shares)
    return ops.sum(shares * losses) / _above_zero(total)


def _dice(pixels: _Pixels, settings: Dice, weights: None) -> Tensor:
    return _tversky(pixels, Tversky(alpha=0.5, beta=0.5), None)


def _tversky(pixels: _Pixels, settings: Tversky, weights: None) -> Tensor:
    p, truth = ops.exp(pixels.log_p), pixels.truth
    others = ops.logical_and(pixels.labelled, ops.logical_not(truth))
    hit = ops.sum(ops.where(truth, p, 0.0), axis=0)
    omitted = ops.sum(ops.where(truth, -ops.expm1(pixels.log_p), 0.0), axis=0)
    committed = ops.sum(ops.where(others, p, 0.0), axis=0)
    wrong = settings.alpha * committed + settings.beta * omitted
    return _mean_of_present(wrong / _above_zero(hit + wrong), truth)


def _lovasz(pixels: _Pixels, settings: Lovasz, weights: None) -> Tensor:
    truth, labelled = ops.transpose(pixels.truth), ops.transpose(pixels.labelled)
    errors = ops.where(pixels.truth, -ops.expm1(pixels.log_p), ops.exp(pixels.log_p))
    # (K, P); unlabelled last, where no pixel of the class is left and a step is 0
    errors = ops.where(labelled, ops.transpose(errors), -1.0)
    order = ops.argsort(-ops.stop_gradient(errors), axis=1)
    steps = _jaccard_steps(ops.take_along_axis(ops.cast(truth, "int32"), order, axis=1))
    errors = ops.take_along_axis(errors, order, axis=1)
    losses = ops.sum(errors * steps, axis=1)
    return _mean_of_present(losses, pixels.truth)


def _jaccard_steps(truth: Tensor) -> Tensor:
    """Say by how much the Jaccard loss grows with each further wrong pixel, (K, P).

    In closed form: differences of neighbours would lose their digits in a batch of a million
    pixels. With I the intersection and U the union after the step, it is 1 / U for a pixel of the
    class, and I / (U (U - 1)) for another.
    """
    passed = ops.cumsum(truth, axis=1)
    size = passed[:, -1:]
    union = ops.cast(size + ops.cumsum(ops.ones_like(truth), axis=1) - passed, "float32")
    hit = ops.cast(size - passed, "float32")
    return ops.where(
        truth == 1,
        1 / ops.maximum(union, 1.0),
        hit / ops.maximum(union * (union - 1), 1.0),
    )


def _mean_of_present(losses: Tensor, truth: Tensor) -> Tensor:
    present = ops.any(truth, axis=0)
    n_present = ops.sum(ops.cast(present, "float32"))
    return ops.sum(ops.where(present, losses, 0.0)) / _above_zero(n_present)


def _above_zero(divisor: Tensor) -> Tensor:
    return ops.where(divisor > 0, divisor, 1.0)


_TERMS: dict[type, Callable[[_Pixels, Any, Any], Tensor]] = {
    CrossEntropy: _cross_entropy,
    Focal: _focal,
    Dice: _dice,
    Tversky: _tversky,
    Lovasz: _lovasz,
}
