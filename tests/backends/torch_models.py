"""Little torch networks, written as `.pt2` archives."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

FREE = torch.export.Dim.AUTO


class Pointwise(nn.Module):
    """1 x 1 convolution without bias."""

    def __init__(self, weights, activation):
        super().__init__()
        kernel = torch.from_numpy(np.asarray(weights, dtype=np.float32))[:, :, None, None]
        self.conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 1, bias=False)
        self.conv.weight = nn.Parameter(kernel)
        self.activation = activation

    def forward(self, x):
        x = self.conv(x)
        if self.activation == "sigmoid":
            return x.sigmoid()
        return x.softmax(dim=1) if self.activation == "softmax" else x


class Deep(nn.Module):
    """Two poolings, two enlargements: stride 4."""

    def __init__(self, n_bands, n_classes):
        super().__init__()
        self.first = nn.Conv2d(n_bands, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, n_classes, 3, padding=1)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.norm(self.first(x)).relu(), 2)
        x = nn.functional.max_pool2d(self.second(x).relu(), 2)
        return self.last(nn.functional.interpolate(x, scale_factor=4, mode="bilinear"))


def save(module: nn.Module, path: Path, *, n_bands=3, size=(2, 64, 96), free=(0, 2, 3)) -> Path:
    """Export a network with some axes free."""
    batch = torch.zeros(size[0], n_bands, *size[1:])
    shapes = (dict.fromkeys(free, FREE),) if free else None
    with torch.no_grad():
        program = torch.export.export(module.eval(), (batch,), dynamic_shapes=shapes)
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    torch.export.save(program, path)
    return path


def write_deep(path: Path, n_bands=3, n_classes=4, **options) -> Path:
    torch.manual_seed(0)
    return save(Deep(n_bands, n_classes), path, n_bands=n_bands, **options)


def change(path: Path, member: str, edit) -> Path:
    """Rewrite one member of an archive; `edit` gets and gives bytes."""
    with zipfile.ZipFile(path) as source:
        members = [(info.filename, source.read(info)) for info in source.infolist()]
    root = members[0][0].partition("/")[0]
    names = [name for name, _ in members]
    if f"{root}/{member}" not in names:
        members.append((f"{root}/{member}", b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name, data in members:
            target.writestr(name, edit(data) if name == f"{root}/{member}" else data)
    return path


def change_program(path: Path, edit) -> Path:
    """Change the JSON of the program in place."""

    def rewrite(data):
        program = json.loads(data)
        edit(program)
        return json.dumps(program).encode()

    return change(path, "models/model.json", rewrite)
