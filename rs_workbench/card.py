"""ModelCard: what a model expects of a scene and what its classes mean.

The card travels with the model: inside `.onnx` (metadata), `.keras` and `.pt2` (a member of the
archive) and smp folders (a file in the folder); otherwise as `<model file>.card.json` beside it.
A card beside the model wins over the one inside, so that a user can correct a model he may not
write to. Reading a card never loads a framework.
"""

from __future__ import annotations

import colorsys
import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from rs_workbench.errors import ModelError, OutputError
from rs_workbench.types import ScoreKind

SCHEMA_VERSION: Literal[1] = 1
MAX_CLASS_VALUE = 254
CARD_MEMBER = "rs_workbench.json"
"""Name of the card inside an archive or a model folder."""
MAX_CARD_BYTES = 4 << 20
_ARCHIVES = (".keras", ".pt2")
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


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


def read_card(model_path: str | Path) -> ModelCard | None:
    """Read the card of a model, the one beside the file first, then the one inside.

    Parameters
    ----------
    model_path : str or Path
        A model file or a model folder.

    Returns
    -------
    ModelCard or None
        None where the model has no card.

    Raises
    ------
    ModelError
        If there is a card that cannot be understood.
    """
    path = Path(model_path)
    beside = card_beside(path)
    if beside.exists():
        return load_card(beside)
    text = _read_inside(path)
    return None if text is None else parse_card(text, f"the card inside '{path.name}'")


def load_card(path: str | Path) -> ModelCard:
    """Read a card from a JSON file of its own.

    Parameters
    ----------
    path : str or Path
        A file as `rsw card show --json` prints it.

    Returns
    -------
    ModelCard
        The card.

    Raises
    ------
    ModelError
        If the file cannot be read or is not a card.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the card '{path}' cannot be read: {error}") from error
    return parse_card(text, f"the card '{path.name}'")


def parse_card(text: str | bytes, source: str) -> ModelCard:
    """Check the JSON text of a card.

    Parameters
    ----------
    text : str or bytes
        The card as JSON.
    source : str
        Where it comes from, for the error.

    Returns
    -------
    ModelCard
        The card.

    Raises
    ------
    ModelError
        If the text is not a card; names the first field at fault.
    """
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ModelError(
            f"{source} is not right in field '{where}': {first['msg']}"
            " (rsw card write makes a right one)"
        ) from error


def write_card(model_path: str | Path, card: ModelCard) -> Path:
    """Give a model its card: inside the file where the format allows, else beside it.

    A file is replaced in one step, so that a failure leaves it as it was. Where a card lies
    beside the model, or the model may not be written to, the card goes beside it.

    Parameters
    ----------
    model_path : str or Path
        A model file or a model folder.
    card : ModelCard
        The card.

    Returns
    -------
    Path
        The file that now holds the card.

    Raises
    ------
    ModelError
        If there is no such model, or it cannot be read.
    OutputError
        If neither the model nor the card beside it can be written.
    """
    path = Path(model_path)
    if not path.exists():
        raise ModelError(f"there is no model at '{path}' to write a card for")
    beside = card_beside(path)
    try:
        if not beside.exists() and (written := _write_inside(path, card)):
            return written
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise OutputError(f"the card cannot be written into '{path}': {error}") from error
    try:
        _replace(beside, lambda new: new.write_text(card_text(card), encoding="utf-8"))
    except OSError as error:
        raise OutputError(f"the card cannot be written to '{beside}': {error}") from error
    return beside


def card_text(card: ModelCard) -> str:
    """Card as indented JSON, without the fields that say nothing.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    str
        JSON text that `parse_card` reads back as the same card.
    """
    return card.model_dump_json(indent=2, exclude_none=True)


def card_beside(model_path: Path) -> Path:
    """Name of the card beside a model.

    Parameters
    ----------
    model_path : Path
        A model file or a model folder.

    Returns
    -------
    Path
        ``<model file>.card.json``, whether it exists or not.
    """
    return model_path.with_name(model_path.name + ".card.json")


def plain_card(
    name: str, n_bands: int, n_classes: int, *, scores: ScoreKind = "logits"
) -> ModelCard:
    """Card that says no more than a bare model file does.

    Parameters
    ----------
    name : str
        Name of the model.
    n_bands, n_classes : int
        What the file takes and gives; one output layer stands for two classes.
    scores : str
        `logits` or `probabilities`.

    Returns
    -------
    ModelCard
        Bands "band 1" and so on, classes "class 0" and so on in evenly spaced hues.
    """
    n_classes = max(n_classes, 2)
    return ModelCard(
        name=name or "model",
        bands=tuple(Band(name=f"band {i + 1}") for i in range(n_bands)),
        classes=tuple(
            LegendClass(value=k, name=f"class {k}", color=spread_color(k, n_classes))
            for k in range(n_classes)
        ),
        scores=scores,
    )


def spread_color(index: int, count: int) -> str:
    """One of `count` colours whose hues lie evenly on the circle.

    Parameters
    ----------
    index, count : int
        Which colour of how many.

    Returns
    -------
    str
        ``#rrggbb``.

    Examples
    --------
    >>> spread_color(0, 3), spread_color(1, 3)
    ('#d94c4c', '#4cd94c')
    """
    red, green, blue = colorsys.hsv_to_rgb(index / count, 0.65, 0.85)
    return "#" + "".join(f"{round(255 * c):02x}" for c in (red, green, blue))


def _read_inside(path: Path) -> str | bytes | None:
    if path.is_dir():
        member = path / CARD_MEMBER
        return member.read_bytes() if member.exists() else None
    if path.suffix.lower() == ".onnx":
        from rs_workbench.backends.onnx_metadata import read_manifest

        return read_manifest(path)
    if path.suffix.lower() in _ARCHIVES and zipfile.is_zipfile(path):
        return _read_member(path)
    return None


def _read_member(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        name = _member_name(path, archive)
        if name not in archive.namelist():
            return None
        size = archive.getinfo(name).file_size
        if size > MAX_CARD_BYTES:
            raise ModelError(
                f"the card inside '{path.name}' has {size} bytes, more than the"
                f" {MAX_CARD_BYTES} a card may have"
            )
        return archive.read(name)


def _member_name(path: Path, archive: zipfile.ZipFile) -> str:
    """Name the card's member; torch wants all members under one root, extra ones in `extra`."""
    if path.suffix.lower() != ".pt2":
        return CARD_MEMBER
    root = archive.namelist()[0].partition("/")[0]
    return f"{root}/extra/{CARD_MEMBER}"


def _write_inside(path: Path, card: ModelCard) -> Path | None:
    """Write the card into the model; None where the format has no room for it."""
    if path.is_dir():
        member = path / CARD_MEMBER
        _replace(member, lambda new: new.write_text(card_text(card), encoding="utf-8"))
        return member
    if path.suffix.lower() == ".onnx":
        from rs_workbench.backends.onnx_metadata import write_manifest

        _replace(path, lambda new: write_manifest(path, new, card))
        return path
    if path.suffix.lower() in _ARCHIVES and zipfile.is_zipfile(path):
        _replace(path, lambda new: _write_member(path, new, card_text(card)))
        return path
    return None


def _write_member(path: Path, new: Path, text: str) -> None:
    """Copy the archive with the card as its last member; the others keep their bytes' places."""
    shutil.copyfile(path, new)
    with zipfile.ZipFile(new) as archive:
        members, name = archive.infolist(), _member_name(path, archive)
    last = max(members, key=lambda member: member.header_offset)
    if any(m.filename == name and m is not last for m in members):
        _copy_other_members(path, new, name)
    with zipfile.ZipFile(new, "a", zipfile.ZIP_STORED) as archive:
        if name in archive.NameToInfo:
            old = archive.NameToInfo.pop(name)
            archive.filelist.remove(old)
            archive.start_dir = old.header_offset
        archive.writestr(zipfile.ZipInfo(name), text)


def _copy_other_members(path: Path, new: Path, name: str) -> None:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(new, "w") as target:
        for member in source.infolist():
            if member.filename != name:
                target.writestr(member, source.read(member))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name in the same folder, then put it in place."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    new = Path(name)
    try:
        write(new)
        if path.exists():
            shutil.copymode(path, new)
        else:
            new.chmod(0o644)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
