"""The learner in PyTorch: one step, one prediction, and all that must be kept to go on.

- A batch is computed in `accumulate` parts, and each part's loss is weighted by its share of the
  batch's labelled pixels (of their class weights, where there are any). So for ``cross_entropy``
  and ``focal`` the parts give the gradient of the whole. ``dice``, ``tversky`` and ``lovasz`` are
  not sums over pixels: they become means over the parts. Batch norm takes its mean over a part.
- With several processes each learns from every n-th chip of a batch, weighted in the same way.
  Running statistics of batch norms are averaged over the processes after each step.
- Bit for bit, a run is repeated on a CPU with the same number of threads; on a GPU, nearly.
- Whatever is trained in, weights are float32, and so is `predict`.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rs_workbench.backends import torch_backend
from rs_workbench.card import ModelCard
from rs_workbench.errors import UsageError
from rs_workbench.networks import describe, find_network
from rs_workbench.training.learner import Labels, Learner
from rs_workbench.training.losses import parse_loss
from rs_workbench.training.processes import count_processes, process_rank
from rs_workbench.training.schedules import decay_at
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.torch_files import export_network, read_state, write_state
from rs_workbench.training.torch_losses import make_loss
from rs_workbench.training.torch_optimizers import (
    choose_precision,
    decay_weights,
    make_optimizer,
    update_mean,
)
from rs_workbench.training.torch_processes import (
    add_over_processes,
    average_over_processes,
    check_batch,
    join,
    share,
)
from rs_workbench.types import Image, Scores

Loss = Callable[[Tensor, Tensor], Tensor]
ONE_VALUE = "Expected more than 1 value per channel"
"""What torch's batch norm says of a part in which it finds no spread."""


def make_learner(
    settings: TrainSettings,
    n_bands: int,
    n_classes: int,
    *,
    class_weights: Sequence[float] | None = None,
) -> Learner:
    """Build the network of the settings, and all that makes it learn.

    Parameters
    ----------
    settings : TrainSettings
        Network, loss, optimiser, precision, device, seed.
    n_bands, n_classes : int
        Bands in, scores out.
    class_weights : sequence of float, shape (K,), optional
        Weight of each class in the loss.

    Returns
    -------
    TorchLearner
        With weights drawn from the seed.

    Raises
    ------
    UsageError
        If there is no such network, loss or device, or the device cannot compute so.
    MissingDependencyError
        If the network needs something that is not installed.
    """
    build = find_network(settings.network, "torch")
    loss = make_loss(parse_loss(settings.loss), n_classes, class_weights=class_weights)
    if settings.gpu_memory:
        from rs_workbench.memory import parse_gpu_limit

        torch_backend.apply_gpu_limit(parse_gpu_limit(settings.gpu_memory))
    device = join(settings.device)
    torch.manual_seed(settings.seed)
    net = build(n_bands, n_classes, **settings.network_options)
    weights = np.ones(n_classes) if class_weights is None else np.asarray(class_weights)
    return TorchLearner(net, loss, settings, device=device, pixel_weights=weights)


class TorchLearner:
    """A network of torch that learns; see `rs_workbench.training.learner.Learner`.

    Parameters
    ----------
    net : nn.Module
        (N, B, H, W) to (N, K, H, W), logits.
    loss : callable
        ``loss(labels, logits)``.
    settings : TrainSettings
        How it learns.
    device : str
        ``cpu`` or ``cuda:0``.
    pixel_weights : ndarray, shape (K,)
        What a labelled pixel of each class weighs, by which parts of a batch are weighted.

    Raises
    ------
    UsageError
        If the device cannot compute in the precision that was asked for, or a batch is too small.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        settings: TrainSettings,
        *,
        device: str,
        pixel_weights: NDArray[Any],
    ) -> None:
        check_batch(settings.batch)
        self.facts, self.device, self.settings = describe(net), device, settings
        self._loss, self._steps = loss, 0
        self._pixel_weights = np.pad(pixel_weights, (0, 256 - len(pixel_weights)))
        self._net = net.to(device, memory_format=torch.channels_last)
        self._kept = copy.deepcopy(self._net).requires_grad_(False) if settings.average else net
        self._learns = share(self._net, device)
        self._optimizer = make_optimizer(self._net, settings)
        self._dtype = choose_precision(settings.precision, device)
        self._scaler = torch.amp.GradScaler(device, enabled=self._dtype == torch.float16)

    # Learning

    def start_epoch(self, epoch: int) -> None:
        """Set the chance of dropout from the seed, the epoch and the process."""
        mixed = np.random.SeedSequence((self.settings.seed, epoch, process_rank()))
        torch.manual_seed(int(mixed.generate_state(1, np.uint64)[0] >> 1))

    def step(self, images: Image, labels: Labels, rate: float) -> float:
        """Learn from one batch; gives its loss.

        Parameters
        ----------
        images : ndarray of float32, shape (N, B, H, W)
            Scaled pixels.
        labels : ndarray of uint8, shape (N, H, W)
            Class indexes, 255 where nothing is known.
        rate : float
            Learning rate.

        Returns
        -------
        float
            NaN where a gradient is not finite. Where it is not finite, nothing was learnt.

        Raises
        ------
        UsageError
            If a part of the batch is too small for the network's batch norm.
        """
        self._learns.train()
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._add_gradients(images, labels)
        if np.isfinite(loss) and not self._move(rate):
            return float("nan")
        return loss

    def _add_gradients(self, images: Image, labels: Labels) -> float:
        """Compute the gradient of the whole batch, part by part."""
        whole = max(self._weigh(labels), 1e-30)
        mine = np.arange(process_rank(), len(images), count_processes())
        parts = np.array_split(mine, min(self.settings.accumulate, len(mine)))
        total = torch.zeros((), device=self.device)
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            share = self._weigh(labels[part]) / whole
            with contextlib.nullcontext() if last else self._keep_apart():
                loss = share * self._loss_of(images[part], labels[part])
                # processes average their gradients, but shares add up to 1 over all of them
                self._scaler.scale(loss * count_processes()).backward()
            total += loss.detach()
        return float(add_over_processes(total))

    def _loss_of(self, images: Image, labels: Labels) -> Tensor:
        x, y = self._send(images), torch.from_numpy(labels).to(self.device)
        kind = torch.device(self.device).type
        with torch.autocast(kind, self._dtype, enabled=self._dtype != torch.float32):
            try:
                logits = self._learns(x)
            except ValueError as error:
                if ONE_VALUE not in str(error):
                    raise
                raise UsageError(
                    f"batch norm finds no spread in a part of {len(x)} chips (batch"
                    f" {self.settings.batch} in {self.settings.accumulate} parts): use a larger"
                    " --batch or fewer parts"
                ) from error
        return self._loss(y, logits.float())

    def _move(self, rate: float) -> bool:
        """Change the weights along the gradient, and their running mean; not if it is NaN."""
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._net.parameters(), self.settings.clip or math.inf)
        if not (self._scaler.is_enabled() or torch.isfinite(norm)):  # a scaler sees to it itself
            return False
        decay_weights(self._optimizer, self.settings, rate)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        average_over_processes(self._net.buffers())
        if self.settings.average:
            update_mean(self._kept, self._net, decay_at(self.settings.average, self._steps))
        self._steps += 1
        return True

    def _weigh(self, labels: Labels) -> float:
        return float(np.bincount(labels.ravel(), minlength=256) @ self._pixel_weights)

    def _keep_apart(self) -> contextlib.AbstractContextManager[None]:
        """Leave the gradients of a part, which is not the last, with this process."""
        together = isinstance(self._learns, DistributedDataParallel)
        return self._learns.no_sync() if together else contextlib.nullcontext()

    def _send(self, images: Image) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(images, np.float32))
        return x.to(self.device).to(memory_format=torch.channels_last)

    # Predicting

    def predict(self, images: Image) -> Scores:
        """Score a batch with the weights that will be kept: (N, B, H, W) to (N, K, H, W)."""
        with torch.inference_mode():
            logits = self._kept.eval()(self._send(images))
            scores: Scores = logits.float().contiguous().cpu().numpy()
        return scores

    def add_up(self, counts: NDArray[np.int64], /) -> NDArray[np.int64]:
        """Sum counts over all processes."""
        total = add_over_processes(torch.tensor(counts, device=self.device))
        summed: NDArray[np.int64] = total.cpu().numpy()
        return summed

    # Files

    def save(self, path: Path) -> None:
        """Write weights, optimiser, running mean and the scale of gradients."""
        state = {
            "net": self._net.state_dict(),
            "kept": self._kept.state_dict() if self.settings.average else None,
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "steps": self._steps,
        }
        write_state(path, state)

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        with read_state(path) as state:
            self._net.load_state_dict(state["net"])
            if self.settings.average:
                self._kept.load_state_dict(state["kept"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._scaler.load_state_dict(state["scaler"])
            self._steps = int(state["steps"])

    def save_weights(self, path: Path) -> None:
        """Write the weights that `predict` uses."""
        write_state(path, {"kept": self._kept.state_dict()})

    def load_weights(self, path: Path) -> None:
        """Make the weights of a file those that `predict` uses and `export` writes."""
        with read_state(path) as state:
            self._kept.load_state_dict(state["kept"])

    def export(self, folder: Path, card: ModelCard) -> Path:
        """Write ``model.pt2`` with its card."""
        return export_network(self._kept, folder, card)

    # Memory

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Tell whether an error means that memory ran out."""
        return torch_backend.is_out_of_memory(error)

    def release(self) -> None:
        """Give back the memory of gradients and what torch holds in reserve."""
        self._optimizer.zero_grad(set_to_none=True)
        torch_backend.release_memory()
