"""How far a network sees: the reach, from its structure alone."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


def structural_reach(net: nn.Module, *, n_bands: int, stride: int, size: int = 256) -> int:
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
        Height of the probe, px; a multiple of `stride`, more than twice the reach.

    Returns
    -------
    int
        Reach, px; rows and columns are taken to be alike.

    References
    ----------
    Ours.
    """
    open_net = _without_gates(deepcopy(net)).double().eval()
    reach = 0
    for row in range(size // 2, size // 2 + stride):
        image = torch.zeros(1, n_bands, size, stride, dtype=torch.float64, requires_grad=True)
        open_net(image)[0, :, row].sum().backward()
        rows = image.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
        reach = max(reach, row - int(rows.min()), int(rows.max()) - row)
    return reach


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
