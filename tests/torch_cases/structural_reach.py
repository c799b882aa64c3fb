"""How far a network sees: the reach, from its structure alone."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

WHOLE_TILE = (nn.AdaptiveAvgPool2d, nn.GroupNorm, nn.InstanceNorm2d, nn.MultiheadAttention)
"""Layers that look at the whole tile, however large it is."""
LARGEST = 4096
"""No network of ours sees half as far, px."""


def structural_reach(net: nn.Module, *, n_bands: int, stride: int, size: int = 256) -> int | None:
    """Measure the largest distance at which an input pixel can change a score.

    A trained network may hide part of its reach behind rectifiers and maxima. So all weights of a
    copy are set to one, rectifiers passed through and maxima replaced by means: then the gradient
    of a score is not zero exactly where the input can matter.

    Parameters
    ----------
    net : nn.Module
        Network of convolutions, batch norms, rectifiers, poolings and upsampling.
    n_bands : int
        Bands of its input.
    stride : int
        Total stride, px; the reach depends on where in the grid a pixel lies.
    size : int
        Height of the first probe, px; a multiple of `stride`. It is doubled until it holds the
        reach.

    Returns
    -------
    int or None
        Reach, px; rows and columns are taken to be alike. None where a layer looks at the whole
        tile, such as the image pooling of DeepLabV3+ or group norm: the reach has no bound.

    References
    ----------
    Ours.
    """
    if any(isinstance(layer, WHOLE_TILE) for layer in net.modules()):
        return None
    open_net = _without_gates(deepcopy(net)).double().eval()
    while size <= LARGEST:
        reaches = [
            _reach_of_row(open_net, row, (n_bands, size, stride))
            for row in range(size // 2, size // 2 + stride)
        ]
        if None not in reaches:
            return max(reaches)
        size *= 2
    return None


def _reach_of_row(net: nn.Module, row: int, shape: tuple[int, int, int]) -> int | None:
    """Distance of the farthest pixel that matters to a row; None where it may lie outside."""
    image = torch.zeros(1, *shape, dtype=torch.float64, requires_grad=True)
    net(image)[0, :, row].sum().backward()
    rows = image.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    first, last = int(rows.min()), int(rows.max())
    if first == 0 or last == shape[1] - 1:
        return None
    return max(row - first, last - row)


def _without_gates(net: nn.Module) -> nn.Module:
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.Conv2d):
                nn.init.ones_(child.weight)
    return net
