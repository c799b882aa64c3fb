"""How the outputs of a run are finished, and the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rs_workbench import maps
from rs_workbench.card import LegendClass
from rs_workbench.journal import Journal, explain_disk_errors
from rs_workbench.places import Paths, remove_stale
from rs_workbench.quicklook import view_bands
from rs_workbench.raster import RasterSpec, finish_raster
from rs_workbench.run import Job, sum_facts
from rs_workbench.thumbnail import Thumbnail


@dataclass
class Report:
    """What was done; `as_dict` is what `_report.json` holds."""

    scene: str
    output: str
    model: str
    model_sha256: str
    engine: str
    device: str
    bands: list[str]
    tile: int
    overlap: int
    margin: int
    reach: int | None
    stride: int
    blend: str
    tta: bool
    exact: bool
    batch: int
    panels: int
    tiles: int
    tiles_skipped: int = 0
    seconds: float = 0.0
    peak_rss_mib: float = 0.0
    model_rss_mib: float = 0.0
    planned_mib: float = 0.0
    scratch_gb: float = 0.0
    resumed: bool = False
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    classes: list[dict[str, Any]] = field(default_factory=list)
    nodata_pixels: int = 0
    files: dict[str, str] = field(default_factory=dict)
    version: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the report, whole or not at all."""
        part = path.with_name(path.name + ".part")
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"
        with explain_disk_errors(path.parent):
            part.write_text(text, encoding="utf-8")
            part.replace(path)


def make_thumbnail(job: Job, folder: Path) -> Thumbnail | None:
    """Make a thumbnail that takes the bands a quick look shows, if the run reads them.

    Parameters
    ----------
    job : Job
        Scene and bands.
    folder : Path
        Work folder of the run.

    Returns
    -------
    Thumbnail or None
        None where the scene's true colours are in other bands than the model's.
    """
    shown = view_bands(job.scene, job.bands)
    if not set(shown) <= set(job.bands):
        return None
    places = [job.bands.index(band) for band in shown]
    return Thumbnail(folder, job.scene.shape, places, job.scene.dtype)


def finish_outputs(
    job: Job,
    journal: Journal,
    paths: Paths,
    tags: dict[str, str],
    *,
    thumbnail: Thumbnail | None = None,
) -> dict[str, str]:
    """Turn the finished layers into files that open in QGIS.

    Parameters
    ----------
    job : Job
        What was mapped.
    journal : Journal
        Holds the layers; all strips finished.
    paths : Paths
        Where they go.
    tags : dict
        Written into the files' metadata.
    thumbnail : Thumbnail, optional
        The scene for the quick look; without it, the scene is read once more.

    Returns
    -------
    dict
        Kind of file to its path.

    Raises
    ------
    OutputError
        If the disk is full; the run can be repeated.
    """
    classes = job.card.classes
    remove_stale(paths, job.save)
    files = {"map": paths.classes}
    for layer in journal.layers:
        is_map = layer.spec.name == "classes"
        out = paths.classes if is_map else paths.companion(layer.spec.name)
        finish_raster(layer.path, out, job.scene, _raster_spec(layer.spec.name, job, tags))
        files["map" if is_map else layer.spec.name] = out
    # A map brought back to the scene's grid has other pixels than those that were counted.
    pixels = None if job.scene.native else sum_facts(journal.strips)["pixels"]
    maps.write_class_names(paths.classes, classes, pixels=pixels)
    files["style"] = maps.write_qml(paths.classes, classes)
    files["quicklook"] = maps.write_quicklook(
        paths.classes,
        paths.quicklook,
        classes,
        scene=job.scene,
        bands=job.bands,
        pixels=pixels,
        view=thumbnail.reduced if thumbnail else None,
    )
    if "polygons" in job.save:
        files["polygons"] = paths.companion("polygons")
        maps.write_polygons(paths.classes, files["polygons"], classes)
    return {kind: str(path) for kind, path in files.items()}


def _raster_spec(name: str, job: Job, tags: dict[str, str]) -> RasterSpec:
    if name == "classes":
        return RasterSpec.class_map(job.card.classes, tags)
    if name == "scores":
        return RasterSpec.score_layers(job.card.classes, {**tags, "scores": job.card.scores})
    return RasterSpec.scaled_bytes(("confidence", "margin to the second class"), tags)


def list_classes(classes: Sequence[LegendClass], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Pixels and area of each class, for the report.

    Parameters
    ----------
    classes : sequence of LegendClass
        The legend.
    facts : dict
        From `run.sum_facts`.

    Returns
    -------
    list of dict
        `value`, `name`, `color`, `pixels`, `area_ha`; the area is None without map units.
    """
    return [
        {
            "value": c.value,
            "name": c.name,
            "name_zh": c.name_zh,
            "color": c.color,
            "pixels": facts["pixels"].get(c.value, 0),
            "area_ha": round(facts["area_ha"].get(c.value, 0.0), 4) if facts["area_ha"] else None,
        }
        for c in classes
    ]
