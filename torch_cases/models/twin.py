"""Fill a network with the weights of its twin in Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from rs_workbench.errors import ModelError

KERNEL_AXES = {"conv": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1), "transposed": (3, 2, 0, 1)}
"""Keras keeps (height, width, in, out), depthwise (height, width, in, 1) and transposed
(height, width, out, in); PyTorch (out, in, height, width), (in, 1, ...) and (in, out, ...)."""


def load_keras_weights(net: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Copy the weights of a Keras network into its twin.

    Parameters
    ----------
    net : nn.Module
        `UNet`, `CbrrUnet`, or `DeepLabV3Plus` with a backbone of ours.
    arrays : mapping of str to ndarray
        Weights by name, as `keras_cases.models.twin.named_weights` gives them: the layers of
        twins have the same names.

    Raises
    ------
    ModelError
        If a weight is missing, is too much, or has another shape.
    """
    left = dict(arrays)
    for name, tensor, axes in _parts(net):
        if name not in left:
            raise ModelError(f"the Keras network has no '{name}': {_SAME}")
        array = np.transpose(left.pop(name), axes)
        if array.shape != tensor.shape:
            raise ModelError(
                f"'{name}' of the Keras network has the shape {array.shape}, but here it is"
                f" {tuple(tensor.shape)}: {_SAME}"
            )
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    if left:
        raise ModelError(f"the network here has no '{next(iter(left))}' of Keras: {_SAME}")


_SAME = "build both twins with the same options"


def _parts(net: nn.Module) -> Iterator[tuple[str, Tensor, tuple[int, ...] | None]]:
    """What Keras calls each tensor, the tensor, and the order of Keras' axes."""
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            yield f"{name}/kernel", layer.weight, KERNEL_AXES[_kind(layer)]
            if layer.bias is not None:
                yield f"{name}/bias", layer.bias, None
        elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            yield f"{name}/gamma", layer.weight, None
            yield f"{name}/beta", layer.bias, None
        if isinstance(layer, nn.BatchNorm2d):
            yield f"{name}/moving_mean", layer.running_mean, None
            yield f"{name}/moving_variance", layer.running_var, None


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.ConvTranspose2d):
        return "transposed"
    return "depthwise" if layer.groups > 1 else "conv"
