"""U-Net: an encoder sees wider, a decoder sees sharper, skips join them.

The twin of `keras_cases/models/unet.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import gcd
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from rs_workbench.networks import check_choice

Norm = Literal["none", "batch", "group"]
Up = Literal["nearest", "bilinear", "conv", "transposed"]

SEA_ICE: dict[str, Any] = {
    "width": 64,
    "depth": 4,
    "norm": "none",
    "dropout": 0.5,
    "up": "conv",
}
"""The course's form for sea ice: 31,031,745 parameters with 3 bands and 1 class."""
HYPERSPECTRAL: dict[str, Any] = {
    "width": 32,
    "depth": 4,
    "last_width": 64,
    "norm": "none",
    "up": "conv",
}
"""The course's form for hyperspectral scenes: 7,807,397 with 6 bands and 5 classes."""


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
    last_width : int, optional
        Channels of the last decoder block; `width` where it is None.
    convolutions : int
        Of 3 x 3, in each block.
    norm : {"none", "batch", "group"}
        What follows each convolution of a block. Group norm needs no large batch, but takes its
        mean over the whole tile: the reach has no bound then.
    dropout : float
        Share of values set to zero after the two deepest encoder blocks, while training.
    up : {"nearest", "bilinear", "conv", "transposed"}
        How a map is enlarged: its pixels repeated; interpolated; repeated and convolved by
        2 x 2; or by a transposed convolution. The first two learn nothing.

    Raises
    ------
    UsageError
        If `norm` or `up` is none of those named.

    Notes
    -----
    Input (N, B, H, W), output (N, K, H, W), logits. With three poolings the total stride is 8.
    Repeating pixels adds nothing to the reach, the other ways to enlarge do.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
    Segmentation", MICCAI 2015, https://arxiv.org/abs/1505.04597. Ours differs by zero padding
    (the size stays) and, unless told otherwise, by batch normalisation and upsampling without
    learned weights.

    Examples
    --------
    >>> net = UNet(n_bands=3, n_classes=7)
    >>> sum(p.numel() for p in net.parameters())
    488103
    >>> tuple(net(torch.zeros(2, 3, 64, 96)).shape)
    (2, 7, 64, 96)
    """

    def __init__(
        self,
        n_bands: int,
        n_classes: int,
        *,
        width: int = 16,
        depth: int = 3,
        last_width: int | None = None,
        convolutions: int = 2,
        norm: Norm = "batch",
        dropout: float = 0.0,
        up: Up = "nearest",
    ) -> None:
        super().__init__()
        check_choice("normalisation", norm, get_args(Norm))
        check_choice("upsampling", up, get_args(Up))
        block = partial(conv_block, convolutions=convolutions, norm=norm)
        widths = [width * 2**level for level in range(depth + 1)]
        outs = [last_width or width, *widths[1:]]
        self.stride = 2**depth
        self.encoder = nn.ModuleList(
            block(n_in, n_out) for n_in, n_out in pairwise([n_bands, *widths])
        )
        self.up = nn.ModuleList(enlarge(deep, skip, kind=up) for skip, deep in pairwise(widths))
        self.decoder = nn.ModuleList(
            block(skip + (skip if up in ("conv", "transposed") else deep), n_out)
            for (skip, deep), n_out in zip(pairwise(widths), outs, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Conv2d(outs[0], n_classes, 1)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Score a batch: (N, B, H, W) to (N, K, H, W)."""
        skips, depth = [], len(self.decoder)
        for level, block in enumerate(self.encoder):
            x = self.pool(x) if level else x
            x = block(x)  # (N, width * 2**level, H / 2**level, ...)
            x = self.drop(x) if level >= depth - 1 else x
            skips.append(x)
        x = skips.pop()
        for level in reversed(range(depth)):
            x = self.up[level](x)  # twice the size
            x = torch.cat([skips.pop(), x], dim=1)
            x = self.decoder[level](x)
        return self.head(x)


def conv_block(n_in: int, n_out: int, *, convolutions: int, norm: Norm) -> nn.Sequential:
    """Some 3 x 3 convolutions, each normalised and rectified; the size stays."""
    block = nn.Sequential()
    for i in range(convolutions):
        bias = norm == "none"  # a norm would take it away again
        block.add_module(f"conv_{i}", nn.Conv2d(n_in, n_out, 3, padding=1, bias=bias))
        if norm != "none":
            block.add_module(f"norm_{i}", normalise(norm, n_out))
        block.add_module(f"relu_{i}", nn.ReLU(inplace=True))
        n_in = n_out
    return block


def normalise(norm: Norm, n_channels: int) -> nn.Module:
    """Mean 0 and spread 1: of a channel over the batch, or of eight groups over a tile."""
    if norm == "group":
        return nn.GroupNorm(gcd(8, n_channels), n_channels, eps=1e-5)
    return nn.BatchNorm2d(n_channels, momentum=0.1, eps=1e-5)


def enlarge(n_in: int, n_out: int, *, kind: Up) -> nn.Sequential:
    """Twice the height and width; `n_out` channels where the kind learns, else as many as came."""
    enlarged = nn.Sequential()
    if kind == "transposed":
        enlarged.add_module("conv", nn.ConvTranspose2d(n_in, n_out, 2, stride=2))
        return enlarged
    mode = "bilinear" if kind == "bilinear" else "nearest"
    enlarged.add_module("repeat", nn.Upsample(scale_factor=2, mode=mode))
    if kind == "conv":
        enlarged.add_module("pad", nn.ZeroPad2d((0, 1, 0, 1)))  # right and below, for 2 x 2
        enlarged.add_module("conv", nn.Conv2d(n_in, n_out, 2))
        enlarged.add_module("relu", nn.ReLU(inplace=True))
    return enlarged


def initialise(module: nn.Module) -> None:
    """Draw first weights as Keras does: so wide that rectified values keep their spread."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


build = UNet
