"""The losses of `rs_workbench.training.losses` in PyTorch; read `keras_losses` beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rs_workbench.training.loss_settings import CrossEntropy, Dice, Focal, Lovasz, Tversky
from rs_workbench.training.losses import LossSpec, Weights, check_shapes, term_weights


def make_loss(
    spec: LossSpec,
    n_classes: int,
    *,
    ignore: int | None = 255,
    class_weights: Sequence[float] | None = None,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the function that a loop minimises.

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
    callable
        ``loss(labels, logits)`` with labels (N, H, W) of any integer type and logits
        (N, K, H, W) of any float type, on one device; or (N,) and (N, K). Gives a scalar of
        float32, of float64 where the logits are.

    Raises
    ------
    UsageError
        If `ignore` is also a class, or the class weights do not fit.
    ModelError
        From the function, if the logits do not lie on the labels.

    Notes
    -----
    With several GPUs each process computes the loss of its own part of the batch.
    """
    by_term = term_weights(spec, n_classes, ignore=ignore, class_weights=class_weights)

    def loss(labels: Tensor, logits: Tensor) -> Tensor:
        scores = logits.movedim(1, -1)
        check_shapes(labels.shape, scores.shape, n_classes)
        pixels, good = _pixels(labels, scores, ignore)
        total = torch.zeros((), dtype=pixels.log_p.dtype, device=logits.device)
        for term, weights in zip(spec.terms, by_term, strict=True):
            total = total + term.weight * _TERMS[type(term.settings)](
                pixels, term.settings, weights
            )
        return torch.where(good, total, torch.nan)

    return loss


class _Pixels(NamedTuple):
    """All pixels of a batch, P in number."""

    log_p: Tensor  # (P, K), logarithm of the softmax
    truth: Tensor  # (P, K) bool, all False where unlabelled
    labelled: Tensor  # (P, 1) bool


def _pixels(labels: Tensor, scores: Tensor, ignore: int | None) -> tuple[_Pixels, Tensor]:
    """Lay the pixels in a row; also tell whether every label is a class or `ignore`."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    flat = labels.to(torch.int64).reshape(-1, 1)
    labelled = torch.ones_like(flat, dtype=torch.bool) if ignore is None else flat != ignore
    truth = (flat == torch.arange(scores.shape[-1], device=flat.device)) & labelled
    # before the softmax, so that NaN under an unlabelled pixel stays there
    known = torch.where(labelled, scores.reshape(-1, scores.shape[-1]), 0)
    good = (truth.any(dim=1, keepdim=True) == labelled).all()
    return _Pixels(torch.log_softmax(known, dim=1), truth, labelled), good


def _cross_entropy(pixels: _Pixels, settings: CrossEntropy, weights: Weights | None) -> Tensor:
    losses = -_of_label(pixels)
    if settings.smoothing:
        even = -pixels.log_p.mean(dim=1)
        losses = (1 - settings.smoothing) * losses + settings.smoothing * even
    return _mean(losses, pixels, weights)


def _focal(pixels: _Pixels, settings: Focal, weights: Weights | None) -> Tensor:
    log_p = _of_label(pixels)
    # the slope of x**gamma at 0 is infinite for gamma < 1
    missing = (-torch.expm1(log_p)).clamp(min=1e-30)
    return _mean(-(missing**settings.gamma) * log_p, pixels, weights)


def _of_label(pixels: _Pixels) -> Tensor:
    """Give the log-probability of each pixel's own label, (P,); 0 where unlabelled."""
    return torch.where(pixels.truth, pixels.log_p, 0).sum(dim=1)


def _mean(losses: Tensor, pixels: _Pixels, weights: Weights | None) -> Tensor:
    """Average over labelled pixels, weighted by class; 0 without any."""
    by_class = 1.0 if weights is None else losses.new_tensor(weights)
    shares = torch.where(pixels.truth, by_class, 0).sum(dim=1).to(losses.dtype)
    total = shares.sum()
    return (shares * losses).sum() / torch.where(total > 0, total, 1)


def _dice(pixels: _Pixels, settings: Dice, weights: None) -> Tensor:
    return _tversky(pixels, Tversky(alpha=0.5, beta=0.5), None)


def _tversky(pixels: _Pixels, settings: Tversky, weights: None) -> Tensor:
    p, truth = pixels.log_p.exp(), pixels.truth
    hit = torch.where(truth, p, 0).sum(dim=0)
    omitted = torch.where(truth, -torch.expm1(pixels.log_p), 0).sum(dim=0)
    committed = torch.where(pixels.labelled & ~truth, p, 0).sum(dim=0)
    wrong = settings.alpha * committed + settings.beta * omitted
    return _mean_of_present(wrong / _above_zero(hit + wrong), truth)


def _lovasz(pixels: _Pixels, settings: Lovasz, weights: None) -> Tensor:
    truth, labelled = pixels.truth.T, pixels.labelled.T
    errors = torch.where(pixels.truth, -torch.expm1(pixels.log_p), pixels.log_p.exp())
    # (K, P); unlabelled last, where no pixel of the class is left and a step is 0
    errors = torch.where(labelled, errors.T, -1)
    order = errors.detach().argsort(dim=1, descending=True)
    steps = _jaccard_steps(truth.gather(1, order), errors.dtype)
    errors = errors.gather(1, order)
    losses = (errors * steps).sum(dim=1)
    return _mean_of_present(losses, pixels.truth)


def _jaccard_steps(truth: Tensor, dtype: torch.dtype) -> Tensor:
    """Say by how much the Jaccard loss grows with each further wrong pixel, (K, P).

    In closed form: differences of neighbours would lose their digits in a batch of a million
    pixels. With I the intersection and U the union after the step, it is 1 / U for a pixel of the
    class, and I / (U (U - 1)) for another.
    """
    passed = truth.cumsum(dim=1, dtype=torch.int32)
    size = passed[:, -1:]
    steps = torch.arange(1, truth.shape[1] + 1, dtype=torch.int32, device=truth.device)
    hit, union = (size - passed).to(dtype), (size + steps - passed).to(dtype)
    return torch.where(truth, 1 / union.clamp(min=1), hit / (union * (union - 1)).clamp(min=1))


def _mean_of_present(losses: Tensor, truth: Tensor) -> Tensor:
    present = truth.any(dim=0)
    return torch.where(present, losses, 0).sum() / present.sum().clamp(min=1)


def _above_zero(divisor: Tensor) -> Tensor:
    return torch.where(divisor > 0, divisor, 1)


_TERMS: dict[type, Callable[[_Pixels, Any, Any], Tensor]] = {
    CrossEntropy: _cross_entropy,
    Focal: _focal,
    Dice: _dice,
    Tversky: _tversky,
    Lovasz: _lovasz,
}
