"""DeepLabV3+: any backbone, a pyramid of dilated convolutions, and a decoder that finds edges.

The twin of `keras_cases/models/deeplabv3.py`: same layers, same names and, with the backbones
"mini" and "xception_course", same scores.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from rs_workbench.errors import UsageError
from rs_workbench.networks import check_choice
from torch_cases.models.backbones import torch_backbone
from torch_cases.models.xception import MINI, XCEPTION, SepConv, Xception, conv, initialise

Decoder = Literal["course", "fine"]
Features = dict[int, Tensor]

OWN = {"mini": MINI, "xception_course": XCEPTION}
SKIP = 48
"""Channels to which a skip is narrowed, so that it does not outweigh what comes from below."""


class DeepLabV3Plus(nn.Module):
    """Score every pixel from what lies around it at several distances.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    backbone : str
        "mini" or "xception_course", which have a twin in Keras, or a network of timm, or
        "torchvision/<name>", or "smp/<name>" of segmentation_models_pytorch.
    weights : str, optional
        Trained weights of a backbone that is not ours: "imagenet", or a file with the
        `state_dict` of it; random where it is None.
    output_stride : {8, 16, 32}
        Full size over the size of the last features. Smaller sees finer and costs more; a
        backbone of 32 is changed to 16 or 8 by dilation, with the same weights. Heights and
        widths must be multiples of it. 32 is for backbones that end there.
    width : int
        Channels of the pyramid and the decoder.
    rates : tuple of int, optional
        Dilations of the pyramid, px of the last features. Where it is None, those of the paper,
        which look 96, 192 and 288 px far: 6, 12 and 18 at stride 16, twice as much at stride 8.
        The course takes 6, 12 and 18 at stride 8.
    image_pooling : bool
        Whether the mean of the whole tile takes part. Then the scores depend on where a tile ends,
        the reach has no bound, and a scene's map is not quite that of one pass. It needs
        batches of three or more to be trained, as batch norm finds no spread in one value.
    dropout : float
        Share of values set to zero after the pyramid, while training.
    decoder : {"course", "fine"}
        "course" joins the features of stride 4 and enlarges by 4; "fine" also joins those of
        stride 8 and 2, so that narrow things survive.

    Raises
    ------
    UsageError
        If there is no such backbone or decoder, or the backbone cannot be given that stride.
    ModelError
        If the weights cannot be had or do not fit.

    Notes
    -----
    Input (N, B, H, W), output (N, K, H, W), logits.

    References
    ----------
    L.-C. Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018, https://arxiv.org/abs/1802.02611.

    Examples
    --------
    >>> net = DeepLabV3Plus(n_bands=4, n_classes=7).eval()
    >>> tuple(net(torch.zeros(2, 4, 64, 96)).shape)
    (2, 7, 64, 96)
    """

    def __init__(
        self,
        n_bands: int,
        n_classes: int,
        *,
        backbone: str = "mini",
        weights: str | None = None,
        output_stride: int = 16,
        width: int = 256,
        rates: tuple[int, ...] | None = None,
        image_pooling: bool = True,
        dropout: float = 0.1,
        decoder: Decoder = "course",
    ) -> None:
        super().__init__()
        check_choice("decoder", decoder, get_args(Decoder))
        check_choice("output stride", output_stride, (8, 16) if backbone in OWN else (8, 16, 32))
        if weights and backbone in OWN:
            raise UsageError(
                f"there are no trained weights for backbone '{backbone}', but weights='{weights}'"
                " was asked for: leave weights out or choose another backbone"
            )
        if backbone in OWN:
            self.backbone = Xception(n_bands, OWN[backbone], output_stride=output_stride)
        else:
            self.backbone = torch_backbone(
                n_bands, backbone, weights=weights, output_stride=output_stride
            )
        channels = self.backbone.channels
        rates = rates or tuple(96 * i // output_stride for i in (1, 2, 3))
        self.stride = output_stride
        self.pyramid = Pyramid(
            channels[output_stride], width, rates=rates, image_pooling=image_pooling
        )
        self.drop = nn.Dropout(dropout)
        steps = plan(decoder, channels, width)
        self.decoder = Stepwise(channels, width, steps=steps)
        n_out, self.last_stride = steps[-1][1][-1], steps[-1][0]
        self.head = nn.Conv2d(n_out, n_classes, 1)
        for part in (self.pyramid, self.decoder, self.head):
            part.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Score a batch: (N, B, H, W) to (N, K, H, W)."""
        features = self.backbone(x)
        x = self.drop(self.pyramid(features[self.stride]))  # (N, width, H / stride, ...)
        x = self.decoder(x, features)  # (N, width, H / 4, ...), or H / 2 where it is fine
        # A 1 x 1 convolution and an enlargement may change places: the few scores are enlarged.
        return enlarge(self.head(x), self.last_stride)


class Pyramid(nn.Module):
    """Look at one place, at rings ever farther away, and at the whole tile; mix what was seen.

    The paper copies the tile's mean to every pixel, joins it to the other branches and mixes all
    by a 1 x 1 convolution. That equals the sum of two 1 x 1 convolutions, one of the branches and
    one of the mean, which needs no copies.
    """

    def __init__(
        self, n_in: int, width: int, *, rates: tuple[int, ...], image_pooling: bool
    ) -> None:
        super().__init__()
        self.point = conv(n_in, width, 1)
        self.ring = nn.ModuleList(SepConv(n_in, width, dilation=r, relu=True) for r in rates)
        self.mix = nn.Conv2d(width * (1 + len(rates)), width, 1, bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1) if image_pooling else None
        if image_pooling:
            self.mean = conv(n_in, width, 1)
            self.mix_mean = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width, momentum=0.1, eps=1e-3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, h, w) to (N, width, h, w)."""
        branches = [self.point(x), *(ring(x) for ring in self.ring)]
        mixed = self.mix(torch.cat(branches, dim=1))
        if self.pool is not None:
            mean = self.mean(self.pool(x))  # (N, width, 1, 1)
            mixed = mixed + self.mix_mean(mean)
        return self.relu(self.norm(mixed))


class Stepwise(nn.Module):
    """Enlarge, put the narrowed features of that stride beside, look around; then again."""

    def __init__(
        self, channels: dict[int, int], n_in: int, *, steps: list[tuple[int, tuple[int, ...]]]
    ) -> None:
        super().__init__()
        self.strides = [max(channels), *(stride for stride, _ in steps)]
        self.skip, self.look = nn.ModuleDict(), nn.ModuleDict()
        for stride, widths in steps:
            self.skip[str(stride)] = conv(channels[stride], SKIP, 1)
            into = [n_in + SKIP, *widths]
            self.look[str(stride)] = nn.Sequential(
                *(SepConv(a, b, relu=True) for a, b in pairwise(into))
            )
            n_in = widths[-1]

    def forward(self, x: Tensor, features: Features) -> Tensor:
        """(N, n_in, h, w) and features by stride to (N, widths[-1], H / stride, ...)."""
        for above, stride in pairwise(self.strides):
            skip = self.skip[str(stride)](features[stride])
            x = torch.cat([enlarge(x, above // stride), skip], dim=1)
            x = self.look[str(stride)](x)
        return x


def plan(kind: Decoder, strides: Iterable[int], width: int) -> list[tuple[int, tuple[int, ...]]]:
    """List at which strides a decoder stops, and the channels of its convolutions there."""
    if kind == "course":
        return [(4, (width, width))]
    finer = sorted((s for s in strides if 2 <= s < max(strides)), reverse=True)
    return [(s, (width if s >= 4 else width // 2,)) for s in finer]  # fewer where pixels are many


def enlarge(x: Tensor, factor: int) -> Tensor:
    """`factor` times the height and width."""
    if factor == 1:
        return x
    return nn.functional.interpolate(x, scale_factor=factor, mode="bilinear")


build = DeepLabV3Plus
