"""The bundled model: land cover of a dune coast from aerial photographs, with a small U-Net.

One command trains it (three quarters of an hour of one core), from sample data that are
downloaded where they are missing::

    python -m torch_cases.default_model

It trains with the recipe `default_model` of ``rsw train``, which chooses the epoch on validation
ground and reads the held-out ground once, and writes to `out/default_model/`: the run, the ONNX
file with its card inside, a page of figures, pictures, and a map of the sample scene. The same
command again goes on where it was stopped. `--smoke` does the same in a minute with a model that
knows nothing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rasterio

from rs_workbench.backends import load_predictor
from rs_workbench.card import read_card
from rs_workbench.infer import Options, infer_scene
from rs_workbench.sample_scene import write_sample_scene
from rs_workbench.train import train as train_network
from rs_workbench.training.data import TrainingData, open_data
from rs_workbench.training.epoch_progress import show_epochs
from rs_workbench.training.recipes import find_settings
from rs_workbench.training.run_folder import check_folder, read_result
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import read_settings
from rs_workbench.training.train_result import TrainResult
from torch_cases.model_page.page import PAGE, model_page
from torch_cases.model_page.pictures import scene_picture, tiles_picture


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    """What a student may change."""

    recipe: str = "default_model"  # of rsw train: data, network and how it learns
    changes: Mapping[str, Any] = field(default_factory=dict)  # what holds instead
    out: Path = Path("out/default_model")
    scene: tuple[int, int] = (1536, 2048)  # px, of the sample scene


SMOKE = Settings(
    changes={
        "scenes": ["sample:dunes/images/3*.jpg"],
        "labels": ["sample:dunes/labels/3*.png"],
        "split": {"kind": "blocks", "validation": [], "held_out": []},  # of these few, by lot
        "network_options": {"width": 4},
        "tile": 64,
        "chips": 16,
        "epochs": 2,
        "forest_pixels": 5_000,
        "pictures": 0,
    },
    out=Path("out/default_model_smoke"),
    scene=(256, 384),
)


# %% 1. Data: whole blocks with ground between them go to one part, so that no place is seen twice
def load_data(s: Settings) -> TrainingData:
    return open_data(choose(s))


# %% 2. Model: three poolings, so that a pixel sees its surroundings and no further
def choose(s: Settings) -> TrainSettings:
    return read_settings(find_settings(s.recipe), s.changes)


# %% 3. Train: the average of the last steps maps better than the last step
def train(s: Settings) -> TrainResult:
    settings, folder = choose(s), s.out / "run"
    if check_folder(folder, settings) == "finished":
        return read_result(folder)
    with show_epochs("auto", settings.epochs) as (on_epoch, on_step):
        return train_network(settings, folder, on_step=on_step, on_epoch=(on_epoch,), log=print)


# %% 4. Evaluate: what was scored once, on ground that nothing was chosen on, goes on a page
def evaluate(model: Path, result: TrainResult, s: Settings) -> Path:
    data, card = load_data(s), read_card(model)
    page = s.out / f"{PAGE}.md"
    page.write_text(model_page(card, result, data), encoding="utf-8")
    predict = load_predictor(model, device="cpu").predictor.predict
    tiles_picture(s.out / f"{PAGE}_held_out.png", data, predict)
    return page


# %% 5. Infer: the card travels inside the file, so that the command needs nothing else
def release(result: TrainResult, s: Settings) -> Path:
    made = s.out / "run" / result.onnx
    return Path(shutil.copyfile(made, s.out / f"{read_card(made).name}.onnx"))


def infer(model: Path, s: Settings) -> Path:
    height, width = s.scene
    scene = write_sample_scene(s.out / "sample_scene.tif", height=height, width=width)
    class_map = s.out / "sample_scene_classes.tif"
    infer_scene(scene, class_map, model=model, options=Options(device="cpu", overwrite=True))
    with rasterio.open(scene) as image, rasterio.open(class_map) as labels:
        picture = s.out / f"{PAGE}_sample_scene.png"
        return scene_picture(picture, image.read(), labels.read(1), read_card(model).classes)


def main(s: Settings = Settings()) -> Path:
    result = train(s)
    model = release(result, s)
    infer(model, s)
    page = evaluate(model, result, s)
    print(f"held-out: mIoU {result.held_out['mean_iou']:.3f}, ", end="")
    print(*(f"{name} {found['mean_iou']:.3f}" for name, found in result.baselines.items()))
    print(f"model: {model}, page: {page}")
    return model


if __name__ == "__main__":
    main(SMOKE if "--smoke" in sys.argv else Settings())
