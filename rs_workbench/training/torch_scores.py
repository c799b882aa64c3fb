"""Scores of `rs_workbench.accuracy` in a PyTorch loop."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from rs_workbench.accuracy import Confusion


@torch.no_grad()
def count_batches(
    net: torch.nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    n_classes: int,
    *,
    ignore: int | None = 255,
) -> Confusion:
    """Count how a network labels the pixels of all batches.

    Parameters
    ----------
    net : torch.nn.Module
        Gives scores (N, K, H, W), or (N, K); left in the mode it was in.
    batches : iterable of (images, labels)
        Images (N, B, H, W) and labels (N, H, W), or (N,).
    n_classes : int
        K.
    ignore : int, optional
        Label that means unlabelled.

    Returns
    -------
    Confusion
        Rows map, columns reference.

    Raises
    ------
    AccuracyError
        If a label is not a class.
    """
    confusion = Confusion(n_classes, ignore=ignore)
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    was_training = net.training
    net.eval()
    for images, labels in batches:
        best = net(images.to(device)).argmax(dim=1)
        confusion.update(best.cpu().numpy(), labels.cpu().numpy())
    net.train(was_training)
    return confusion
