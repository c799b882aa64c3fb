"""A transform in a JSON file: numbers and names only, every digit kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rs_workbench.errors import SceneError
from rs_workbench.journal import explain_disk_errors
from rs_workbench.spectra.transform import LinearTransform, TransformKind

SCHEMA_VERSION: Literal[1] = 1
_VECTORS = ("mean", "std", "eigenvalues")


class _TransformFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: TransformKind
    source: str
    n_pixels: int
    band_names: tuple[str, ...]
    wavelengths: tuple[float | None, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    eigenvalues: tuple[float, ...]
    forward: tuple[tuple[float, ...], ...]
    inverse: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _sizes_agree(self) -> _TransformFile:
        n_bands, n_components = len(self.band_names), len(self.forward)
        sizes = {name: len(getattr(self, name)) for name in (*_VECTORS, "wavelengths", "inverse")}
        wrong = [f"{name} {size}" for name, size in sizes.items() if size != n_bands]
        if wrong:
            raise ValueError(f"{n_bands} bands are named, but there are others: {wrong[0]}")
        rows = {len(row) for row in self.forward}, {len(row) for row in self.inverse}
        if not n_components or rows != ({n_bands}, {n_components}):
            raise ValueError(f"forward and inverse do not fit {n_bands} bands")
        return self


def save_transform(transform: LinearTransform, path: str | Path) -> Path:
    """Write a transform as JSON; the file appears when it is complete.

    Parameters
    ----------
    transform : LinearTransform
        A PCA or MNF.
    path : str or Path
        The file; its folder is made where it is missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    text = _TransformFile(
        kind=transform.kind,
        source=transform.source,
        n_pixels=transform.n_pixels,
        band_names=transform.band_names,
        wavelengths=tuple(None if np.isnan(nm) else float(nm) for nm in transform.wavelengths),
        mean=tuple(transform.mean.tolist()),
        std=tuple(transform.std.tolist()),
        eigenvalues=tuple(transform.eigenvalues.tolist()),
        forward=tuple(map(tuple, transform.forward.tolist())),
        inverse=tuple(map(tuple, transform.inverse.tolist())),
    ).model_dump_json()
    part = path.with_name(path.name + ".part")
    with explain_disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
    return path


def load_transform(path: str | Path) -> LinearTransform:
    """Read a transform that `save_transform` wrote; no code can come with it.

    Parameters
    ----------
    path : str or Path
        A JSON file.

    Returns
    -------
    LinearTransform
        The same, to the last digit.

    Raises
    ------
    SceneError
        If the file cannot be read or is no transform.
    """
    path = Path(path)
    try:
        read = _TransformFile.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"the transform '{path}' cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        raise SceneError(
            f"'{path.name}' is no PCA or MNF: field '{field}': {first['msg']} (save_transform "
            "writes a right one)"
        ) from error
    return LinearTransform(
        kind=read.kind,
        band_names=read.band_names,
        wavelengths=np.array([np.nan if nm is None else nm for nm in read.wavelengths]),
        mean=np.array(read.mean),
        std=np.array(read.std),
        forward=np.array(read.forward),
        inverse=np.array(read.inverse),
        eigenvalues=np.array(read.eigenvalues),
        n_pixels=read.n_pixels,
        source=read.source,
    )
