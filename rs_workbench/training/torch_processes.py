"""Several processes that learn together, through torch.distributed; `processes` says how many."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Iterable

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from rs_workbench.backends.torch_backend import choose_device
from rs_workbench.errors import UsageError
from rs_workbench.training.processes import count_processes


def join(device: str) -> str:
    """Find the place where this process learns, and meet the others if there are any.

    Parameters
    ----------
    device : str
        What the user chose; with several processes, ``auto`` gives each a GPU of its own.

    Returns
    -------
    str
        ``cpu`` or ``cuda:0``.

    Raises
    ------
    UsageError
        If there is no such place.
    """
    if count_processes() == 1:
        return choose_device(device)
    if device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    device = choose_device(device)
    if device != "cpu":
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
        atexit.register(distributed.destroy_process_group)
    return device


def share(net: nn.Module, device: str) -> nn.Module:
    """Let a network average its gradients over all processes.

    Parameters
    ----------
    net : nn.Module
        On its device.
    device : str
        ``cpu`` or ``cuda:0``.

    Returns
    -------
    nn.Module
        What to call; the network itself where there is one process.
    """
    if count_processes() == 1:
        return net
    place = None if device == "cpu" else [torch.device(device)]
    with warnings.catch_warnings():
        # newer torch prefers another name for `broadcast_buffers`, which older ones do not know
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(net, device_ids=place, broadcast_buffers=False)


def check_batch(batch: int) -> None:
    """See that every process gets a chip of each batch.

    Parameters
    ----------
    batch : int
        Chips in a batch.

    Raises
    ------
    UsageError
        If it does not.
    """
    if batch < count_processes():
        raise UsageError(
            f"a batch of {batch} chips cannot be shared by {count_processes()} processes: use"
            f" --batch {count_processes()} or more, or start fewer"
        )


def add_over_processes(tensor: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over all processes, in place.

    Parameters
    ----------
    tensor : Tensor
        Of one shape in all processes, on the device where they learn.

    Returns
    -------
    Tensor
        The same tensor.
    """
    if count_processes() > 1:
        distributed.all_reduce(tensor)
    return tensor


def average_over_processes(tensors: Iterable[torch.Tensor]) -> None:
    """Average tensors of floats over all processes, in place.

    Parameters
    ----------
    tensors : iterable of Tensor
        Such as the running statistics of batch norms; others are left alone.
    """
    if count_processes() == 1:
        return
    for tensor in tensors:
        if tensor.is_floating_point():
            distributed.all_reduce(tensor)
            tensor /= count_processes()
