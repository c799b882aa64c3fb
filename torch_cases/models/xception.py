"""Xception with dilation: what DeepLabV3+ rests on, large as in the course or small for a laptop.

The twin of `keras_cases/models/xception.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Sizes:
    """Channels of every part."""

    stem: tuple[int, int]
    entry: tuple[int, int, int]
    n_middle: int  # residual blocks as wide as the last of `entry`
    exit: tuple[int, int, int]
    end: tuple[int, int, int]


XCEPTION = Sizes((32, 64), (128, 256, 728), 16, (728, 1024, 1024), (1536, 1536, 2048))
"""As in the course's land-cover case."""
MINI = Sizes((16, 24), (32, 48, 96), 2, (96, 128, 128), (160, 160, 192))
"""The same network a tenth as wide and with two middle blocks, which a laptop trains."""


class Xception(nn.Module):
    """Turn an image into features at ever smaller sizes.

    Parameters
    ----------
    n_bands : int
        Bands of the image.
    sizes : Sizes
        `XCEPTION` or `MINI`.
    output_stride : {8, 16}
        Full size over the size of the last features. With 8 the last parts keep their size and
        look twice as far by dilation.

    Notes
    -----
    Input (N, B, H, W), output features by their stride: 2, 4, 8 and, where that is the output
    stride, 16. `channels` says how many of them.

    References
    ----------
    F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017,
    https://arxiv.org/abs/1610.02357; with the changes of L.-C. Chen et al. (DeepLabV3+),
    ECCV 2018.
    Its second entry block keeps its size here, as in the course.

    Examples
    --------
    >>> import torch
    >>> features = Xception(3, MINI, output_stride=16)(torch.zeros(2, 3, 64, 32))
    >>> {stride: tuple(x.shape[1:]) for stride, x in features.items()}
    {2: (24, 32, 16), 4: (48, 16, 8), 8: (96, 8, 4), 16: (192, 4, 2)}
    """

    def __init__(self, n_bands: int, sizes: Sizes, *, output_stride: int) -> None:
        super().__init__()
        dilation = 16 // output_stride
        stem, entry = (n_bands, *sizes.stem), (sizes.stem[-1], *sizes.entry)
        end = (sizes.exit[-1], *sizes.end)
        self.output_stride = output_stride
        self.channels = {2: stem[-1], 4: entry[2], 8: entry[3]} | {output_stride: end[-1]}
        self.stem = nn.Sequential(
            *(conv(stem[i], stem[i + 1], 3, stride=2 if i == 0 else 1) for i in range(2))
        )
        self.entry = nn.ModuleList(
            Residual(entry[i], (entry[i + 1],) * 3, stride=stride)
            for i, stride in enumerate((2, 1, 2))
        )
        self.middle = nn.Sequential(
            *(Residual(entry[-1], (entry[-1],) * 3) for _ in range(sizes.n_middle))
        )
        self.exit = Residual(entry[-1], sizes.exit, stride=output_stride // 8, dilation=dilation)
        self.end = nn.ModuleList(
            SepConv(end[i], end[i + 1], dilation=2 * dilation) for i in range(3)
        )
        self.relu = nn.ReLU()
        self.apply(initialise)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, B, H, W) to features by stride."""
        features = {2: self.stem(x)}  # (N, 64, H / 2, ...)
        features[4] = self.entry[1](self.entry[0](features[2]))  # (N, 256, H / 4, ...)
        x = features[8] = self.middle(self.entry[2](features[4]))  # (N, 728, H / 8, ...)
        x = self.exit(x)
        for separable in self.end:
            x = separable(self.relu(x))
        features[self.output_stride] = self.relu(x)  # (N, 2048, H / output_stride, ...)
        return features


class Residual(nn.Module):
    """Three separable convolutions around which the input is led, and added again."""

    def __init__(
        self, n_in: int, widths: tuple[int, ...], *, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.shortcut = nn.Identity()
        if stride > 1 or n_in != widths[-1]:
            self.shortcut = conv(n_in, widths[-1], 1, stride=stride, relu=False)
        self.relu, self.separable = nn.ReLU(), nn.ModuleList()
        for i, n_out in enumerate(widths):
            last = i == len(widths) - 1
            step = {"stride": stride if last else 1, "dilation": dilation}
            self.separable.append(SepConv(n_in, n_out, **step))
            n_in = n_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, H, W) to (N, widths[-1], H / stride, W / stride)."""
        shortcut = self.shortcut(x)
        for separable in self.separable:
            x = separable(self.relu(x))
        return x + shortcut


class SepConv(nn.Module):
    """Look around within each channel, then mix the channels: 3 x 3 at a tenth of the cost."""

    def __init__(
        self, n_in: int, n_out: int, *, stride: int = 1, dilation: int = 1, relu: bool = False
    ) -> None:
        super().__init__()
        place = {"stride": stride, "padding": dilation, "dilation": dilation}
        self.depthwise = nn.Conv2d(n_in, n_in, 3, groups=n_in, bias=False, **place)
        self.between = nn.Sequential()
        if relu:  # without it, the norm after the mixing would take the shift of this one away
            self.between.add_module("norm", normalise(n_in))
            self.between.add_module("relu", nn.ReLU())
        self.pointwise = conv(n_in, n_out, 1, relu=relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, H, W) to (N, n_out, H / stride, W / stride)."""
        return self.pointwise(self.between(self.depthwise(x)))


def conv(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolve, normalise and, unless told otherwise, rectify."""
    block = nn.Sequential()
    step = {"stride": stride, "padding": kernel // 2}
    block.add_module("conv", nn.Conv2d(n_in, n_out, kernel, bias=False, **step))
    block.add_module("norm", normalise(n_out))
    if relu:
        block.add_module("relu", nn.ReLU())
    return block


def normalise(n_channels: int) -> nn.Module:
    """Mean 0 and spread 1 of each channel over the batch."""
    return nn.BatchNorm2d(n_channels, momentum=0.1, eps=1e-3)


def initialise(module: nn.Module) -> None:
    """Draw first weights as Keras does: so wide that rectified values keep their spread."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
