"""The benchmark networks in PyTorch: a U-Net that is trained in a minute, and one convolution."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.scene import CHANNELS, MEAN, N_BANDS, N_CLASSES, STD, WIDE, pixels_and_labels

STEPS, BATCH, CHIP = 120, 4, 128


def block(n_in: int, n_out: int) -> nn.Sequential:
    layers = []
    for n in (n_in, n_out):
        layers += [nn.Conv2d(n, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Three poolings, two convolutions a level, nearest-neighbour upsampling."""

    def __init__(self, name: str) -> None:
        super().__init__()
        channels = {**CHANNELS, **WIDE}[name]
        self.down = nn.ModuleList(map(block, (N_BANDS, *channels), channels))
        pairs = list(pairwise(channels))[::-1]
        self.up = nn.ModuleList(block(low + high, low) for low, high in pairs)
        self.head = nn.Conv2d(channels[0], N_CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level, convolve in enumerate(self.down):
            x = convolve(x if level == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        for convolve, skip in zip(self.up, skips[-2::-1], strict=True):
            x = convolve(torch.cat([skip, functional.interpolate(x, scale_factor=2.0)], dim=1))
        return self.head(x)


def one_layer() -> nn.Module:
    """The cheapest net: what it costs is the pipeline."""
    torch.manual_seed(0)
    return nn.Conv2d(N_BANDS, N_CLASSES, 3, padding=1)


def untrained(name: str) -> UNet:
    torch.manual_seed(0)
    return UNet(name).eval()


def train(name: str) -> UNet:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two threads wait for each other on a busy machine
    net = UNet(name)
    bands, labels = pixels_and_labels(range(1024), 1024, seed=7)
    image = torch.from_numpy((bands.astype(np.float32) - MEAN) / STD)
    truth = torch.from_numpy(labels.astype(np.int64))
    adam = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 1e-2, total_steps=STEPS)
    for _ in range(STEPS):
        corners = torch.randint(0, 1024 - CHIP, (BATCH, 2)).tolist()
        x = torch.stack([image[:, r : r + CHIP, c : c + CHIP] for r, c in corners])
        y = torch.stack([truth[r : r + CHIP, c : c + CHIP] for r, c in corners])
        loss = functional.cross_entropy(net(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return net.eval()


def load_unet(weights: Path) -> UNet:
    net = UNet(weights.stem)
    arrays = np.load(weights)
    state = {k: torch.from_numpy(arrays[k]) for k in arrays.files}
    net.load_state_dict(state)
    return net.eval()


def export(net: nn.Module, folder: Path, name: str, *, stride: int) -> None:
    """Save a net as `name.npz` (weights), `name.pt2` and `name.onnx`, any size and batch."""
    np.savez(folder / f"{name}.npz", **{k: v.numpy() for k, v in net.state_dict().items()})
    batch = torch.zeros(2, N_BANDS, 64, 128)
    free = {
        0: torch.export.Dim("n"),
        2: stride * torch.export.Dim("h", min=1, max=8192),
        3: stride * torch.export.Dim("w", min=1, max=8192),
    }
    program = torch.export.export(net, (batch,), dynamic_shapes=(free,))
    torch.export.save(program, folder / f"{name}.pt2")
    torch.onnx.export(program, dynamo=True, verbose=False).save(folder / f"{name}.onnx")
