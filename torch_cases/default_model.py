"""The bundled model: land cover of a dune coast from aerial photographs, with a small U-Net.

Run it with the data (about half an hour of one core)::

    RSW_DATA=/path/to/data python -m torch_cases.default_model

It trains, chooses the checkpoint on the validation tiles, reads the held-out tiles once, and
writes to `out/default_model/`: checkpoint, the ONNX file with its card inside, a page of figures
and pictures. `--smoke` does the same in a minute with a model that knows nothing; `--export`
starts from the checkpoint.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rs_workbench.accuracy import Confusion, mean_iou
from rs_workbench.sample_scene import draw_scene
from torch_cases.dunes.chips import Places, draw_chips, places_by_class, scale_bands
from torch_cases.dunes.pictures import scene_picture, tiles_picture
from torch_cases.dunes.pixel_baseline import forest_confusion, majority_confusion
from torch_cases.dunes.release import (
    NAME,
    PAGE,
    Figures,
    geometry,
    make_card,
    model_page,
    write_onnx,
)
from torch_cases.dunes.tiles import (
    IGNORED,
    N_CLASSES,
    Parts,
    Tile,
    data_folder,
    read_tile,
    split_tiles,
)
from torch_cases.models.unet import UNet


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    """What a student may change."""

    out: Path = Path("out/default_model")
    width: int = 16  # channels at full size
    depth: int = 3  # poolings
    side: int = 256  # px, of a chip
    chips: int = 192  # an epoch
    batch: int = 8
    epochs: int = 60
    rate: float = 3e-3
    check_every: int = 2  # epochs
    tiles: int | None = None  # of each part; None is all
    pixels: int = 150_000  # that the baseline is fitted to
    scene: tuple[int, int] = (1536, 2048)  # px, of the sample scene
    seed: int = 0
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


SMOKE = Settings(
    out=Path("out/default_model_smoke"),
    width=4,
    side=64,
    chips=16,
    epochs=2,
    check_every=1,
    tiles=2,
    scene=(256, 384),
    pixels=5_000,
)


# %% 1. Data: whole groups of neighbouring tiles go to one part, so that no place is seen twice
@dataclass(frozen=True)
class Data:
    """Training and validation tiles, and what the training pixels say about scaling."""

    parts: Parts
    training: tuple[Tile, ...]
    validation: tuple[Tile, ...]
    mean: np.ndarray  # (B,)
    std: np.ndarray  # (B,)
    low: np.ndarray  # (B,), 2nd percentile
    high: np.ndarray  # (B,), 98th percentile


def load_data(s: Settings) -> Data:
    folder = data_folder()
    parts = split_tiles(folder)
    training = read_tiles(folder, parts.training[: s.tiles])
    validation = read_tiles(folder, parts.validation[: s.tiles])
    pixels = np.concatenate(
        [tile.image[:, tile.label_map != IGNORED] for tile in training], axis=1
    )
    low, high = np.percentile(pixels, (2, 98), axis=1)
    return Data(parts, training, validation, pixels.mean(axis=1), pixels.std(axis=1), low, high)


def read_tiles(folder: Path, names: Sequence[str]) -> tuple[Tile, ...]:
    return tuple(read_tile(folder, name) for name in names)


# %% 2. Model: three poolings, so that a pixel sees its surroundings and no further
def build_model(s: Settings) -> UNet:
    torch.manual_seed(s.seed)
    net = UNet(n_bands=3, n_classes=N_CLASSES, width=s.width, depth=s.depth)
    return net.to(s.device, memory_format=torch.channels_last)


# %% 3. Train: the average of the last steps maps better than the last step
def train(net: UNet, data: Data, s: Settings) -> UNet:
    places = [found for found in places_by_class(data.training, N_CLASSES) if len(found.tile)]
    average, steps = running_average(net), optimizer_and_schedule(net, s)
    best, start = -1.0, time.perf_counter()
    for epoch in range(s.epochs):
        loss = train_epoch(net, average, steps, (data, places), epoch, s)
        if (epoch + 1) % s.check_every == 0:
            score = mean_iou(confusion_on(average.module, data.validation, data, s))
            minutes = (time.perf_counter() - start) / 60
            text = f"epoch {epoch + 1}: loss {loss:.3f}, validation mIoU {score:.3f}"
            print(f"{text}, {minutes:.1f} min", flush=True)
            if score > best:
                best = score
                save_checkpoint(average.module, epoch + 1, score, s)
    return load_checkpoint(s)


def running_average(net: UNet) -> AveragedModel:
    return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)


def optimizer_and_schedule(
    net: UNet, s: Settings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR]:
    optimizer = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=1e-2)
    n_steps = s.epochs * (s.chips // s.batch)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, s.rate, total_steps=n_steps)


def train_epoch(
    net: UNet,
    average: AveragedModel,
    steps: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR],
    source: tuple[Data, list[Places]],
    epoch: int,
    s: Settings,
) -> float:
    optimizer, schedule = steps
    data, places = source
    images, label_maps = draw_chips(
        data.training, places, s.chips, side=s.side, seed=s.seed * 100_000 + epoch
    )
    net.train()
    losses = []
    for first in range(0, s.chips, s.batch):
        labels = label_maps[first : first + s.batch]
        x = scale_bands(images[first : first + s.batch], labels, data.mean, data.std)
        loss = loss_of(net, torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64)), s)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
        losses.append(loss.item())
    return float(np.mean(losses))


def loss_of(net: UNet, x: torch.Tensor, labels: torch.Tensor, s: Settings) -> torch.Tensor:
    x = x.to(s.device, memory_format=torch.channels_last)
    with torch.autocast(torch.device(s.device).type, torch.bfloat16):
        scores = net(x)
    return nn.functional.cross_entropy(scores.float(), labels.to(s.device), ignore_index=IGNORED)


def save_checkpoint(net: UNet, epoch: int, score: float, s: Settings) -> None:
    s.out.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "epoch": epoch, "validation_mean_iou": score}
    torch.save(state, s.out / "checkpoint.pt")


def load_checkpoint(s: Settings) -> UNet:
    net = build_model(s)
    net.load_state_dict(torch.load(s.out / "checkpoint.pt", weights_only=True)["net"])
    return net.eval()


# %% 4. Evaluate: rows are the map, columns are the truth
@torch.no_grad()
def map_tile(net: nn.Module, tile: Tile, data: Data, s: Settings) -> np.ndarray:
    x = scale_bands(tile.image, tile.label_map, data.mean, data.std)[None]
    x = torch.from_numpy(x).to(s.device, memory_format=torch.channels_last)
    return net.eval()(x)[0].argmax(dim=0).to(torch.uint8).cpu().numpy()


def count_pairs(label_maps: Iterable[np.ndarray], tiles: Sequence[Tile]) -> np.ndarray:
    confusion = Confusion(N_CLASSES, ignore=IGNORED)
    for label_map, tile in zip(label_maps, tiles, strict=True):
        confusion.update(label_map, tile.label_map)
    return confusion.matrix


def confusion_on(net: nn.Module, tiles: Sequence[Tile], data: Data, s: Settings) -> np.ndarray:
    return count_pairs((map_tile(net, tile, data, s) for tile in tiles), tiles)


def evaluate(net: nn.Module, data: Data, s: Settings) -> Figures:
    held_out = read_tiles(data_folder(), data.parts.held_out[: s.tiles])
    label_maps = [map_tile(net, tile, data, s) for tile in held_out]
    tiles_picture(s.out / f"{PAGE}_held_out.png", held_out, label_maps)
    return Figures(
        network=count_pairs(label_maps, held_out),
        majority=majority_confusion(data.training, held_out),
        forest=forest_confusion(data.training, held_out, n_pixels=s.pixels),
    )


# %% 5. Export: the card travels inside the file, so that the command needs nothing else
def export(net: UNet, data: Data, figures: Figures, s: Settings) -> Path:
    net = net.cpu().to(memory_format=torch.contiguous_format).eval()
    statistics = {key: getattr(data, key) for key in ("mean", "std", "low", "high")}
    card = make_card(data.parts, statistics, figures, **geometry(net, depth=s.depth))
    page = model_page(card, data.parts, figures)
    (s.out / f"{PAGE}.md").write_text(page, encoding="utf-8")
    return write_onnx(net, card, s.out / f"{NAME}.onnx")


def infer(net: UNet, data: Data, s: Settings) -> Path:
    image = draw_scene(*s.scene)
    missing = np.where((image == 0).all(axis=0), IGNORED, 0).astype(np.uint8)
    scene = Tile("sample scene", image, missing)
    label_map = np.where(missing == IGNORED, IGNORED, map_tile(net, scene, data, s))
    return scene_picture(s.out / f"{PAGE}_sample_scene.png", image, label_map)


def main(s: Settings = Settings(), *, trained: bool = False) -> Path:
    data = load_data(s)
    net = load_checkpoint(s) if trained else train(build_model(s), data, s)
    figures = evaluate(net, data, s)
    print(f"held-out: mIoU {mean_iou(figures.network):.3f}, each pixel by itself ", end="")
    print(f"{mean_iou(figures.forest):.3f}, majority {mean_iou(figures.majority):.3f}")
    infer(net, data, s)
    path = export(net, data, figures, s)
    print(f"model, page and pictures: {path.parent}")
    return path


if __name__ == "__main__":
    main(SMOKE if "--smoke" in sys.argv else Settings(), trained="--export" in sys.argv)
