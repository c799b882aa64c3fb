"""ModelCard: what a model expects of a scene and what its classes mean.

The card travels with the model: inside `.onnx` (metadata), `.keras` and `.pt2` (a member of the
archive) and smp folders (a file in the folder); otherwise as `<model file>.card.json` beside it.
A card beside the model wins over the one inside, so that a user can correct a model he may not
write to. Reading a card never loads a framework.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rs_workbench.types import ScoreKind

SCHEMA_VERSION = 1
MAX_CLASS_VALUE = 254


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Strict):
    """One band that the model reads, in the model's order.

    `mean` and `std` scale it: the network sees ``(value - mean) / std``. `low` and `high` are
    the 2nd and 98th percentile of the training pixels, in scene units; a scene far outside them
    is probably in other units.
    """

    name: str = Field(min_length=1)
    wavelength: float | None = Field(default=None, gt=0, description="centre, nm")
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)
    low: float | None = None
    high: float | None = None


class LegendClass(_Strict):
    """One class of the map: its value, its names and its colour."""

    value: int = Field(ge=0, le=MAX_CLASS_VALUE)
    name: str = Field(min_length=1)
    name_zh: str | None = None
    color: str = Field(pattern=r"^#[0-9a-f]{6}$")


class TrainingData(_Strict):
    """Where the training pixels came from and how the split was made."""

    name: str
    source: str | None = None
    license: str | None = None
    n_chips: int | None = None
    split: str | None = None
    notes: str | None = None


class HeldOut(_Strict):
    """Scores on pixels that the fit never saw, with baselines beside them."""

    confusion: tuple[tuple[int, ...], ...] = Field(description="rows map, columns reference")
    overall_accuracy: float
    mean_iou: float
    majority_mean_iou: float | None = None
    pixel_baseline_mean_iou: float | None = None
    pixel_baseline: str | None = None
    notes: str | None = None


class ModelCard(_Strict):
    """All that the workbench must know to run a model on a scene.

    Sizes are in pixels. `stride` is the network's total stride: tile origins and sizes are
    multiples of it. `reach` is how far an input pixel can influence the output; None means that
    it is unbounded (attention, global pooling), then `effective_reach` serves as the margin.
    `fixed_size` is set where the file accepts one (height, width) only.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(min_length=1)
    version: str = "1"
    description: str = ""
    bands: tuple[Band, ...] = Field(min_length=1)
    dtype: str = Field(default="float32", description="pixel type of the training scenes")
    nodata: tuple[float, ...] = Field(
        default=(), description="values that mean no data where the scene itself declares none"
    )
    fill: float = Field(
        default=0.0, description="scaled value the network sees where there is no data"
    )
    classes: tuple[LegendClass, ...] = Field(min_length=2, max_length=MAX_CLASS_VALUE + 1)
    scores: ScoreKind = "logits"
    pixel_size: float | None = Field(default=None, gt=0, description="m")
    tile: int | None = Field(default=None, gt=0)
    stride: int = Field(default=1, gt=0)
    reach: int | None = Field(default=None, ge=0)
    effective_reach: int | None = Field(default=None, ge=0)
    fixed_size: tuple[int, int] | None = None
    training_data: TrainingData | None = None
    held_out: HeldOut | None = None
    license: str | None = None
    provenance: str | None = None

    @property
    def n_bands(self) -> int:
        """Number of bands the model reads."""
        return len(self.bands)

    @property
    def n_classes(self) -> int:
        """Number of classes the model tells apart."""
        return len(self.classes)

    @field_validator("classes")
    @classmethod
    def _values_differ(cls, classes: tuple[LegendClass, ...]) -> tuple[LegendClass, ...]:
        values = [c.value for c in classes]
        if len(set(values)) != len(values):
            raise ValueError(f"class values must differ: got {values}")
        return classes

    @model_validator(mode="after")
    def _tile_on_stride(self) -> ModelCard:
        if self.tile is not None and self.tile % self.stride:
            raise ValueError(f"tile {self.tile} px is not a multiple of stride {self.stride} px")
        return self
