"""U-Net: an encoder sees wider, a decoder sees sharper, skips join them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def double_conv(n_in: int, n_out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each normalised and rectified; the size stays."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Score every pixel from what lies around it.

    All operations look a fixed number of pixels around: no attention and no global pooling. So
    the scores deeper inside a tile than the reach equal those of one pass over a whole scene.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    width : int
        Channels at full size; doubled at every pooling.
    depth : int
        Number of poolings. Heights and widths must be multiples of ``2**depth``.

    Notes
    -----
    Input (N, B, H, W), output (N, K, H, W), logits. With three poolings the total stride is 8.
    Upsampling repeats pixels, so that it adds nothing to the reach.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
    Segmentation", MICCAI 2015, https://arxiv.org/abs/1505.04597. Ours differs by batch
    normalisation, zero padding (the size stays) and upsampling without learned weights.

    Examples
    --------
    >>> net = UNet(n_bands=3, n_classes=7)
    >>> sum(p.numel() for p in net.parameters())
    488103
    >>> tuple(net(torch.zeros(2, 3, 64, 96)).shape)
    (2, 7, 64, 96)
    """

    def __init__(self, n_bands: int, n_classes: int, *, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            double_conv(n_in, n_out) for n_in, n_out in pairwise([n_bands, *widths])
        )
        self.decoder = nn.ModuleList(
            double_conv(deep + skip, skip) for skip, deep in pairwise(widths)
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(width, n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Score a batch: (N, B, H, W) to (N, K, H, W)."""
        skips = []
        for level in self.encoder:
            x = level(x if not skips else self.pool(x))  # (N, width * 2**level, H / 2**level, ...)
            skips.append(x)
        x = skips.pop()
        for level in reversed(self.decoder):
            x = level(torch.cat([self.up(x), skips.pop()], dim=1))
        return self.head(x)
