"""Ways to map one scene with one set of weights: ours, peers, and loops people write.

Run by `peers.py`: python -m benchmarks.contestants NAME NET SMALL_SCENE. Such a process loads
its libraries and its model once, warms up on a small scene, then maps the scene that each line
names, and answers with what that cost. Every contestant reads the scene from disk and writes a
class map to disk.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import rasterio
from rasterio.windows import Window

from benchmarks.measure import spend
from benchmarks.scene import MEAN, N_CLASSES, STD

TILE, OVERLAP, BATCH = 256, 64, 4
Run = Callable[[Path, Path], object]
Make = Callable[[Path], Run]
"""Takes the path of the weights, without a suffix."""


def scaled(pixels: np.ndarray) -> np.ndarray:
    return (pixels.astype(np.float32) - MEAN) / STD


def write_labels(path: Path, labels: np.ndarray, like: Path) -> None:
    with rasterio.open(like) as scene:
        profile = scene.profile | {"count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile) as out:
        out.write(labels.astype(np.uint8), 1)


def windows(scene: rasterio.DatasetReader, step: int) -> Iterator[Window]:
    """Windows row by row, the last ones pulled back inside."""
    for row in range(0, scene.height, step):
        for col in range(0, scene.width, step):
            top, left = min(row, scene.height - TILE), min(col, scene.width - TILE)
            yield Window(left, top, TILE, TILE)


# Ours


def ours(net: Path, **choices: object) -> Run:
    from rs_workbench.backends import load_predictor
    from rs_workbench.infer import Options, infer_scene

    model = net.with_suffix(choices.pop("suffix", ".pt2"))
    loaded = load_predictor(model, engine=choices.pop("engine", "auto"))
    options = Options(overwrite=True, **choices)
    return lambda scene, output: infer_scene(scene, output, model=loaded, options=options)


def ours_eager(net: Path) -> Run:
    return ours(net, engine="torch")


def ours_keras(net: Path) -> Run:
    return ours(net, suffix=".keras")


# PyTorch peers


def torch_net(net: Path) -> object:
    import torch

    from benchmarks.torch_nets import load_unet

    torch.set_grad_enabled(False)
    return load_unet(net.with_suffix(".npz"))


def whole_image(net: Path) -> Run:
    """One forward pass over the whole scene: what all others should equal."""
    import torch

    score = torch_net(net)

    def run(scene: Path, output: Path) -> None:
        with rasterio.open(scene) as source:
            image = torch.from_numpy(scaled(source.read())[None])
        write_labels(output, score(image)[0].argmax(0).numpy(), scene)

    return run


def plain_loop(net: Path) -> Run:
    """One window after another, no overlap."""
    import torch

    score = torch_net(net)

    def run(scene: Path, output: Path) -> None:
        with rasterio.open(scene) as source:
            labels = np.zeros(source.shape, np.uint8)
            for window in windows(source, TILE):
                tile = torch.from_numpy(scaled(source.read(window=window))[None])
                labels[window.toslices()] = score(tile)[0].argmax(0).numpy()
        write_labels(output, labels, scene)

    return run


def monai(net: Path) -> Run:
    import torch
    from monai.inferers import sliding_window_inference

    score = torch_net(net)

    def run(scene: Path, output: Path) -> None:
        with rasterio.open(scene) as source:
            image = torch.from_numpy(scaled(source.read())[None])
        scores = sliding_window_inference(
            image, (TILE, TILE), BATCH, score, overlap=OVERLAP / TILE, mode="gaussian"
        )
        write_labels(output, scores[0].argmax(0).numpy(), scene)

    return run


def geoai_inference() -> ModuleType:
    """`geoai/inference.py` alone: importing the package loads some 200 others."""
    import torch

    utils = ModuleType("geoai.utils")
    utils.get_device = lambda: torch.device("cpu")
    sys.modules["geoai.utils"] = utils
    package = Path(importlib.util.find_spec("geoai").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("geoai_inference", package / "inference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def geoai(net: Path) -> Run:
    score, inference = torch_net(net), geoai_inference()

    def run(scene: Path, output: Path) -> None:
        inference.predict_geotiff(
            score, str(scene), str(output), tile_size=TILE, overlap=OVERLAP, batch_size=BATCH,
            num_classes=N_CLASSES, output_dtype="uint8", output_nodata=255, preprocess_fn=scaled,
            postprocess_fn=lambda scores: scores.argmax(0), verbose=False,
        )  # fmt: skip

    return run


def torchgeo(net: Path) -> Run:
    """The sampler and loader of torchgeo; stitching, which is the user's job, by the mean."""
    import torch
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler

    score = torch_net(net)

    def run(scene: Path, output: Path) -> None:
        dataset = RasterDataset(str(scene))
        sampler = GridGeoSampler(dataset, size=TILE, stride=TILE - OVERLAP)
        loader = DataLoader(dataset, BATCH, sampler=sampler, collate_fn=stack_samples)
        with rasterio.open(scene) as source:
            (height, width), inverse = source.shape, ~source.transform
        padded = (height + TILE, width + TILE)  # the last windows stick out
        total, count = torch.zeros(N_CLASSES, *padded), torch.zeros(padded)
        for batch in loader:
            scores = score((batch["image"] - MEAN) / STD)
            for tile, (x, y, _) in zip(scores, batch["bounds"], strict=True):
                col, row = (round(v) for v in inverse * (x.start, y.stop))
                top = -min(row, 0)  # the sampler counts rows upwards and may leave the scene
                place = slice(row + top, row + TILE), slice(col, col + TILE)
                total[:, *place] += tile[:, top:]
                count[place] += 1
        scores = total[:, :height, :width] / count[:height, :width]
        write_labels(output, scores.argmax(0).numpy(), scene)

    return run


# Keras


def predict_loop(net: Path) -> Run:
    """`model.predict` for each batch of windows, centres kept: the loop of most tutorials."""
    import keras

    model = keras.saving.load_model(net.with_suffix(".keras"))
    margin = OVERLAP // 2

    def run(scene: Path, output: Path) -> None:
        with rasterio.open(scene) as source:
            labels, places = (
                np.zeros(source.shape, np.uint8),
                list(windows(source, TILE - OVERLAP)),
            )
            for start in range(0, len(places), BATCH):
                batch = places[start : start + BATCH]
                tiles = np.stack([scaled(source.read(window=w)).transpose(1, 2, 0) for w in batch])
                for window, scores in zip(batch, model.predict(tiles, verbose=0), strict=True):
                    top = 0 if window.row_off == 0 else margin
                    left = 0 if window.col_off == 0 else margin
                    target = labels[window.toslices()]
                    target[top:, left:] = scores.argmax(-1)[top:, left:]
        write_labels(output, labels, scene)

    return run


CONTESTANTS: dict[str, tuple[str, Make]] = {
    "ours": ("**rs-workbench**, `.pt2`", ours),
    "ours_eager": ("rs-workbench, `--engine torch`", ours_eager),
    "monai": ("MONAI `sliding_window_inference`, gaussian", monai),
    "geoai": ("geoai `predict_geotiff`, spline", geoai),
    "torchgeo": ("torchgeo `GridGeoSampler`, mean stitch", torchgeo),
    "plain_loop": ("plain loop, no overlap, PyTorch", plain_loop),
    "ours_keras": ("**rs-workbench**, `.keras`", ours_keras),
    "predict_loop": ("`model.predict` per batch, Keras", predict_loop),
    "whole_image": ("one whole-image forward pass", whole_image),
}


def main() -> None:
    name, net, warm_up = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    answers, sys.stdout = sys.stdout, sys.stderr
    run, output = CONTESTANTS[name][1](net), net.with_name(f"peers_{name}.tif")
    run(warm_up, output)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        work = partial(run, Path(line.strip()), output)
        print(json.dumps(spend(work)), file=answers, flush=True)


if __name__ == "__main__":
    main()
