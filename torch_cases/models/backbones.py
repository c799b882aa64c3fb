"""Backbones by name, from timm, torchvision and segmentation_models_pytorch, for any bands.

Each is wrapped so that it turns an image (N, B, H, W) into features by their stride, and says in
`channels` how many there are at each. Whatever ends at stride 32 is changed to 16 or 8: strides
beyond are taken out, and what follows looks farther by dilation, which leaves the trained weights
as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from rs_workbench.errors import MissingDependencyError, ModelError, UsageError
from rs_workbench.networks import check_choice

PROBE = 64
"""Side of the image by which the stride of a part is found, px."""

MOMENTUM = 0.1
"""Share that a training step adds to the running mean and variance. Some of these networks come
with 0.01, made for a hundred thousand steps: after a few hundred steps, scores would still rest
on the first guess."""


def torch_backbone(
    n_bands: int, name: str, *, weights: str | None = None, output_stride: int = 16
) -> nn.Module:
    """Build a backbone.

    Parameters
    ----------
    n_bands : int
        Bands of the image; a first convolution trained on three is spread over them.
    name : str
        A network of timm, or "torchvision/<name>", or "smp/<name>".
    weights : str, optional
        "imagenet", or a file with the `state_dict` of the backbone; random where it is None.
    output_stride : {8, 16, 32}
        Full size over the size of the last features.

    Returns
    -------
    nn.Module
        Gives features by stride; `channels` says how many there are.

    Raises
    ------
    UsageError
        If there is no such backbone, or it cannot be given that stride.
    MissingDependencyError
        If the package it is of is not installed.
    ModelError
        If the weights cannot be had or do not fit.
    """
    source, _, short = name.rpartition("/")
    check_choice("source of backbones", source or "timm", tuple(SOURCES))
    trained = weights == "imagenet"
    try:
        backbone = SOURCES[source or "timm"](n_bands, short, trained, output_stride)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"backbone '{name}' needs {error.name}, which is not installed: run"
            "  pip install 'rs-workbench[torch]'"
        ) from error
    except UsageError:
        raise
    except Exception as error:  # each package has its own ways to say no
        if trained:
            raise _not_had(name, error) from error
        raise _unfit(name, output_stride) from error
    if output_stride != max(backbone.channels) or 4 not in backbone.channels:
        raise _unfit(name, output_stride)
    if weights and not trained:
        load_weights(backbone.body, Path(weights), name)
    for layer in backbone.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = MOMENTUM
    return backbone


class Listed(nn.Module):
    """A backbone that gives a list of features, the finest first."""

    def __init__(self, body: nn.Module, strides: list[int], channels: list[int]) -> None:
        super().__init__()
        self.body, self.strides = body, strides
        pairs = zip(strides, channels, strict=True)
        self.channels = {stride: n for stride, n in pairs if n}  # the deepest of each stride

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, B, H, W) to features by stride."""
        return dict(zip(self.strides, self.body(x), strict=True))


class Chain(nn.Module):
    """A backbone that is a chain of parts; the last of each stride gives the features."""

    def __init__(self, body: nn.Sequential, n_bands: int, output_stride: int) -> None:
        super().__init__()
        self.body = body
        dilate(body, n_bands, output_stride)
        found = list(places(body, n_bands))
        self.last_of = {stride: i for i, (stride, _) in enumerate(found)}
        self.channels = {stride: found[i][1] for stride, i in self.last_of.items()}

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, B, H, W) to features by stride."""
        features, stride_at = {}, {i: stride for stride, i in self.last_of.items()}
        for i, part in enumerate(self.body):
            x = part(x)
            if i in stride_at:
                features[stride_at[i]] = x
        return features


def of_timm(n_bands: int, name: str, trained: bool, output_stride: int) -> Listed:
    """Any convolutional network of timm, with or without the tag of its weights."""
    import timm

    check_choice("network of timm", name.partition(".")[0], timm.list_models())
    bound = {} if output_stride == 32 else {"output_stride": output_stride}
    body = timm.create_model(
        name, pretrained=trained, in_chans=n_bands, features_only=True, **bound
    )
    if "NHWC" in str(getattr(body, "output_fmt", "")):
        raise UsageError(
            f"backbone '{name}' takes tiles of one size only: choose a convolutional network"
        )
    return Listed(body, body.feature_info.reduction(), body.feature_info.channels())


def of_smp(n_bands: int, name: str, trained: bool, output_stride: int) -> Listed:
    """Any encoder of segmentation_models_pytorch."""
    from segmentation_models_pytorch import encoders

    check_choice("encoder of smp", name, encoders.get_encoder_names())
    body = encoders.get_encoder(
        name,
        in_channels=n_bands,
        depth=5,
        weights="imagenet" if trained else None,
        output_stride=output_stride,
    )
    strides = [min(2**level, output_stride) for level in range(6)]
    return Listed(body, strides, list(body.out_channels))


def of_torchvision(n_bands: int, name: str, trained: bool, output_stride: int) -> Chain:
    """A network of torchvision that is a chain of parts, the head left out."""
    from torchvision import models

    check_choice("network of torchvision", name, models.list_models(module=models))
    net = models.get_model(name, weights="DEFAULT" if trained else None)
    parts = getattr(net, "features", None)
    if parts is None:  # such as a ResNet: all that comes before its head
        parts = [part for key, part in net.named_children() if key not in ("avgpool", "fc")]
    body = nn.Sequential(*parts)
    if n_bands != 3:
        take_bands(body, n_bands, trained=trained)
    return Chain(body, n_bands, output_stride)


SOURCES = {"timm": of_timm, "torchvision": of_torchvision, "smp": of_smp}


def take_bands(body: nn.Module, n_bands: int, *, trained: bool) -> None:
    """Give the first convolution other bands; what was trained on three is spread over them."""
    name, old = next((k, m) for k, m in body.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        n_bands,
        old.out_channels,
        old.kernel_size,
        old.stride,
        old.padding,
        bias=old.bias is not None,
    )
    if trained:
        spread = old.weight.data[:, [band % 3 for band in range(n_bands)]] * 3 / n_bands
        new.weight.data.copy_(spread)
    parent, _, child = name.rpartition(".")
    setattr(body.get_submodule(parent), child, new)


def dilate(body: nn.Sequential, n_bands: int, output_stride: int) -> None:
    """Let no part shrink below the output stride; what follows looks farther instead.

    A convolution whose input is d times as dense as it was made for takes every d-th pixel of
    it: then each of its weights meets what it was trained on.
    """
    before = 1
    for part, (stride, _) in zip(body, list(places(body, n_bands)), strict=True):
        if stride > output_stride:
            density = max(1, before // output_stride)
            for layer in part.modules():
                if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
                    raise ValueError("shrinks by pooling")
                if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1):
                    shrinks = layer.stride != (1, 1)
                    _dilate(layer, density)
                    density = stride // output_stride if shrinks else density
                elif isinstance(layer, nn.Conv2d):
                    layer.stride = (1, 1)
        before = stride


def _dilate(layer: nn.Conv2d, density: int) -> None:
    if any(k % 2 == 0 for k in layer.kernel_size):
        raise ValueError("an even kernel has no middle")
    layer.stride, layer.dilation = (1, 1), (density, density)
    layer.padding = tuple(k // 2 * density for k in layer.kernel_size)


def places(body: nn.Sequential, n_bands: int) -> Iterator[tuple[int, int]]:
    """Stride and channels of what each part gives."""
    x = torch.zeros(1, n_bands, PROBE, PROBE)
    body.eval()
    with torch.no_grad():
        for part in body:
            x = part(x)
            yield PROBE // x.shape[2], x.shape[1]
    body.train()


def load_weights(body: nn.Module, path: Path, name: str) -> None:
    """Fill a backbone from a file with its `state_dict`; a classifier in that file is left out."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = body.state_dict()
        fitting = {k: v for k, v in state.items() if k in wanted and v.shape == wanted[k].shape}
    except Exception as error:  # torch has many ways to say that a file is none of its own
        raise ModelError(
            f"'{path}' holds no weights of backbone '{name}' ({_first_line(error)}): give a file"
            " that torch.save(backbone.state_dict(), path) wrote"
        ) from error
    if missing := [key for key in wanted if key not in fitting]:
        raise ModelError(
            f"'{path}' does not fit backbone '{name}': {len(missing)} of {len(wanted)} arrays are"
            f" not in it or have other shapes, such as '{missing[0]}'"
        )
    body.load_state_dict(fitting)


def _unfit(name: str, output_stride: int) -> UsageError:
    other = "choose another backbone"
    if output_stride < 32:
        other = f"set output_stride=32 or {other}"
    return UsageError(
        f"backbone '{name}' cannot give features of stride 4 and of stride {output_stride}:"
        f" {other}"
    )


def _not_had(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"the ImageNet weights of '{name}' cannot be had ({_first_line(error)}): give a file with"
        " weights=, or start from random weights"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
