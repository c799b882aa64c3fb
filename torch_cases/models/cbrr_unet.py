"""CbrrUnet: a U-Net of residual, dilated blocks whose six decoder maps all vote.

The twin of `keras_cases/models/cbrr_unet.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from rs_workbench.networks import check_choice

Up = Literal["bilinear", "nearest"]

DEPTHS = (1, 2, 4, 8, 8, 8)
"""Channels of the six levels, in multiples of `width`."""
SIZES = (1, 2, 4, 8, 8, 8)
"""Full size over the size of each level: the last three look farther instead of shrinking."""
DILATIONS = (1, 1, 1, 1, 2, 4)
"""How far apart the taps of each level's 3 x 3 convolution are, px of that level."""


class CbrrUnet(nn.Module):
    """Score every pixel with a residual dilated U-Net and six-path fusion.

    Three poolings only; below them, dilation widens the view at one eighth of the size. Each
    decoder level scores the scene at its own size, and the six scores are added up.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    width : int
        Channels at full size; 64 is the course's.
    up : {"bilinear", "nearest"}
        How maps are enlarged.
    bias : bool
        Whether convolutions carry a bias, as the course's do. Batch norm takes it away again, so
        that it learns nothing; without it 12,288 parameters fewer do the same.

    Raises
    ------
    UsageError
        If `up` is neither of the two.

    Notes
    -----
    Input (N, B, H, W), output (N, K, H, W), logits. The total stride is 8 px; heights and widths
    are multiples of it.

    The course's network of task 4, 22,149,381 parameters with 6 bands and 5 classes (running
    means and variances among them); no paper is known. Its second 3 x 3 convolution on the six
    fused maps (`outputs_pre`, 221,504 parameters) led nowhere and is left out here, as it is in
    the count. The course enlarges six maps of 64 channels to full size, joins them and applies a
    1 x 1 convolution. Both steps are linear, so that their order is free: here each map is
    scored first and its few scores are enlarged, which is the same function of the same weights
    with a fraction of the memory.

    Examples
    --------
    >>> net = CbrrUnet(n_bands=6, n_classes=5, width=8)
    >>> tuple(net(torch.zeros(2, 6, 64, 96)).shape)
    (2, 5, 64, 96)
    """

    def __init__(
        self,
        n_bands: int,
        n_classes: int,
        *,
        width: int = 64,
        up: Up = "bilinear",
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_choice("upsampling", up, get_args(Up))
        widths = [width * depth for depth in DEPTHS]
        levels = range(len(widths))
        self.stride = max(SIZES)
        self.encoder = nn.ModuleList(
            Cbrr(n_in, n_out, dilation=dilation, bias=bias)
            for (n_in, n_out), dilation in zip(
                pairwise([n_bands, *widths]), DILATIONS, strict=True
            )
        )
        from_below = [2 * n for n in widths[1:]] + widths[-1:]  # joined maps, or the deepest one
        self.decoder = nn.ModuleList(
            Cbrr(from_below[i], widths[i], dilation=DILATIONS[i], bias=bias) for i in levels
        )
        self.path = nn.ModuleList(conv(2 * n, width, 3, bias=bias) for n in widths)
        self.score = nn.ModuleList(
            # one sixth each of a 1 x 1 convolution on the joined maps; one carries the bias
            nn.Conv2d(width, n_classes, 1, bias=i == 0)
            for i in levels
        )
        self.pool = nn.MaxPool2d(2)
        self.enlarge = nn.ModuleList(
            nn.Upsample(scale_factor=size, mode=up) if size > 1 else nn.Identity()
            for size in SIZES
        )
        self.twice = nn.Upsample(scale_factor=2, mode=up)
        self.apply(initialise)
        limit = (6 / (len(widths) * width + n_classes)) ** 0.5  # of the joined convolution
        for part in self.score:
            nn.init.uniform_(part.weight, -limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        """Score a batch: (N, B, H, W) to (N, K, H, W)."""
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(self.pool(x) if shrinks(level) else x)
            skips.append(x)  # (N, n_out, H / SIZES[level], ...)
        votes = []
        for level in reversed(range(len(SIZES))):
            x = self.twice(x) if shrinks(level + 1) else x
            x = self.decoder[level](x)
            x = torch.cat([x, skips[level]], dim=1)  # (N, 2 n_out, H / SIZES[level], ...)
            vote = self.score[level](self.path[level](x))
            votes.append(self.enlarge[level](vote))  # (N, K, H, W)
        return sum(votes)


def shrinks(level: int) -> bool:
    """Whether a level is half the size of the one above."""
    return 0 < level < len(SIZES) and SIZES[level] > SIZES[level - 1]


class Cbrr(nn.Module):
    """Enter by 1 x 1, look around by 3 x 3, leave by 1 x 1, and add what entered."""

    def __init__(self, n_in: int, n_out: int, *, dilation: int, bias: bool) -> None:
        super().__init__()
        self.enter = conv(n_in, n_out, 1, bias=bias)
        self.look = conv(n_out, n_out, 3, dilation=dilation, bias=bias)
        self.leave = conv(n_out, n_out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, H, W) to (N, n_out, H, W)."""
        entered = self.enter(x)
        return self.leave(self.look(entered)) + entered


def conv(n_in: int, n_out: int, kernel: int, *, bias: bool, dilation: int = 1) -> nn.Sequential:
    """Convolve, normalise, rectify."""
    pad = kernel // 2 * dilation
    block = nn.Sequential()
    block.add_module(
        "conv", nn.Conv2d(n_in, n_out, kernel, padding=pad, dilation=dilation, bias=bias)
    )
    block.add_module("norm", nn.BatchNorm2d(n_out, momentum=0.05, eps=1e-3))
    block.add_module("relu", nn.ReLU())
    return block


def initialise(module: nn.Module) -> None:
    """Draw first weights as Keras does: Glorot's, uniform."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


build = CbrrUnet
