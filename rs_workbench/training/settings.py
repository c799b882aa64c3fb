"""TrainSettings: everything that a training run depends on, in one place.

The same fields are options of ``rsw train`` and keys of its YAML file; the resolved settings are
saved with the result, so that a run can be repeated from its folder.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field

from rs_workbench.training.augment import Augment
from rs_workbench.types import Framework, Optimizer, Precision, Schedule, SplitKind


class Strict(BaseModel):
    """Settings that refuse keys they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainClass(Strict):
    """One class: its value on the map, its names, its colour, and the labels that mean it."""

    value: int = Field(ge=0, le=254)
    name: str = Field(min_length=1)
    name_zh: str | None = None
    color: str | None = Field(default=None, pattern=r"^#[0-9a-f]{6}$")
    labels: tuple[int | str, ...] = Field(
        default=(), description="labels that mean this class; by default its value or its name"
    )


class SplitChoice(Strict):
    """How scenes are cut into training, validation and held-out ground.

    A block is a square of `block` px, or a "group" of scenes that lie nearer to one another than
    the buffer; by default as `tiling.split` chooses. The buffer between the parts is at least as
    wide as a chip. A "named" split names the scenes of a part by patterns of their file names, as
    ``north_*.tif``; all others are for training.
    """

    kind: SplitKind = "blocks"
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    block: Annotated[int, Field(ge=1)] | Literal["group"] | None = Field(
        default=None, description="px, or group"
    )
    buffer: int | None = Field(default=None, ge=0, description="px; by default one chip")
    seed: int = Field(default=0, ge=0)
    validation: tuple[str, ...] = Field(default=(), description="scenes, of a named split")
    held_out: tuple[str, ...] = Field(default=(), description="scenes, of a named split")


class TrainSettings(Strict):
    """Settings of a run; sizes in px unless said otherwise."""

    # what is learnt from
    scenes: tuple[str, ...] = Field(
        min_length=1, description="files, folders or patterns; sample:NAME/... names sample data"
    )
    labels: tuple[str, ...] = Field(
        min_length=1, description="one raster a scene, or vector files over all scenes"
    )
    label_column: str | None = None
    classes: tuple[TrainClass, ...] | None = None
    unlabelled: tuple[int | str, ...] = Field(
        default=(), description="labels that mean unlabelled"
    )
    positions: str | None = Field(
        default=None,
        description="where scenes without georeference lie in one mosaic, px, from their file "
        "names: such as {col}_{row}_",
    )
    bands: tuple[int | str, ...] | None = None
    nodata: tuple[Annotated[float, AllowInfNan(True)], ...] = ()
    # how chips are made
    tile: int = Field(default=256, ge=8)
    chips: int = Field(default=256, ge=1, description="drawn for each epoch")
    class_share: float = Field(default=0.5, ge=0, le=1)
    border_share: float = Field(default=0.0, ge=0, le=1)
    class_power: float = Field(default=0.5, ge=0)
    split: SplitChoice = SplitChoice()
    augment: Augment = Augment()
    # what learns
    network: str = "unet"
    framework: Framework = "torch"
    network_options: dict[str, Any] = Field(default_factory=dict)
    # how it learns
    loss: str = "cross_entropy"
    class_weights: str | tuple[float, ...] | None = None
    optimizer: Optimizer = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Schedule = "one_cycle"
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of all steps")
    epochs: int = Field(default=30, ge=1)
    batch: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1, description="parts that a batch is computed in")
    average: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the running mean of the weights; 0: none"
    )
    clip: float | None = Field(default=None, gt=0, description="largest norm of the gradient")
    precision: Precision = "auto"
    patience: int | None = Field(default=None, ge=1, description="epochs without a better score")
    seed: int = Field(default=0, ge=0)
    # what is done besides
    name: str | None = None
    description: str = ""
    license: str | None = None
    data_name: str | None = Field(default=None, description="of the data, for the card")
    data_source: str | None = Field(default=None, description="where the data can be had")
    data_license: str | None = Field(default=None, description="on what terms")
    data_notes: str | None = Field(default=None, description="what a user must know of them")
    pixel_size: float | None = Field(default=None, gt=0, description="m; by default the scenes'")
    pictures: int = Field(default=5, ge=0, description="epochs between two pictures; 0: none")
    forest_pixels: int = Field(default=100_000, ge=0, description="0: no random forest")
    # where it runs
    device: str = "auto"
    gpu_memory: str | None = None
    workers: int = Field(default=2, ge=1)
    onnx: bool = True
