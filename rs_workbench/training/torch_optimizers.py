"""How weights change in PyTorch: optimiser, decay, running mean, and the precision of it all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rs_workbench.errors import UsageError
from rs_workbench.training.schedules import weight_decay
from rs_workbench.training.settings import TrainSettings


def make_optimizer(net: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """Make the optimiser; it knows no decay, which `decay_weights` takes off.

    Parameters
    ----------
    net : nn.Module
        On the device where it learns.
    settings : TrainSettings
        `optimizer` and `learning_rate`.

    Returns
    -------
    torch.optim.Optimizer
        With a group for all that decays, and one for biases and norms.
    """
    learnt = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learnt if p.ndim > 1], "decays": True},
        {"params": [p for p in learnt if p.ndim <= 1], "decays": False},
    ]
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True)
    return torch.optim.Adam(groups, rate)


@torch.no_grad()
def decay_weights(optimizer: torch.optim.Optimizer, settings: TrainSettings, rate: float) -> None:
    """Set the learning rate of the next step, and take off its share of the weights.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        From `make_optimizer`.
    settings : TrainSettings
        `optimizer` and `weight_decay`.
    rate : float
        Learning rate.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
        for weights in group["params"] if group["decays"] else ():
            weights.mul_(1 - rate * weight_decay(settings))


@torch.no_grad()
def update_mean(mean: nn.Module, net: nn.Module, decay: float) -> None:
    """Move running means of all parameters and buffers: decay * mean + (1 - decay) * now.

    Parameters
    ----------
    mean : nn.Module
        Holds the means; changed in place.
    net : nn.Module
        The same network as it is now.
    decay : float
        0 forgets all that was.
    """
    for old, new in zip(_tensors(mean), _tensors(net), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def choose_precision(precision: str, device: str) -> torch.dtype:
    """Find the type in which activations are computed; weights stay float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16", "float16"}
        Auto is bfloat16 on a GPU that computes so, float16 on one with tensor cores for it only
        (from compute capability 7.0), and float32 elsewhere.
    device : str
        ``cpu`` or ``cuda:0``.

    Returns
    -------
    torch.dtype
        The type.

    Raises
    ------
    UsageError
        If it is float16 on a CPU.
    """
    if device == "cpu" and precision == "float16":
        raise UsageError(
            "float16 is for GPUs, and this run is on the CPU: choose --precision bfloat16 or"
            " float32"
        )
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(precision, torch.float16)
    if device == "cpu":
        return torch.float32
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else torch.float32


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]
