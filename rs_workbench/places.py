"""Where the outputs of a run lie, and what they must never replace."""

from __future__ import annotations

import filecmp
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rs_workbench.errors import OutputError, UsageError, WorkbenchError
from rs_workbench.journal import explain_disk_errors
from rs_workbench.raster import Scene, build_mosaic, open_scene, scene_files

COMPANIONS = {
    "confidence": "_confidence.tif",
    "scores": "_scores.tif",
    "polygons": "_polygons.gpkg",
}


@dataclass(frozen=True)
class Paths:
    """Everything a run writes, from the path of its class map."""

    classes: Path

    def beside(self, ending: str) -> Path:
        """Path of a companion, `ending` in place of the map's suffix."""
        return self.classes.with_name(self.classes.stem + ending)

    @property
    def work(self) -> Path:
        """Folder of the unfinished run."""
        return self.classes.with_name(self.classes.name + ".part")

    @property
    def quicklook(self) -> Path:
        """Picture of the map with its legend."""
        return self.beside("_quicklook.png")

    @property
    def report(self) -> Path:
        """What was done, as JSON."""
        return self.beside("_report.json")

    def companion(self, layer: str) -> Path:
        """Path of what ``--save`` adds: confidence, scores or polygons."""
        return self.beside(COMPANIONS[layer])

    def outputs(self, save: Iterable[str]) -> list[Path]:
        """List every file a run with these layers writes, the map first."""
        fixed = [self.classes, self.beside(".qml"), self.quicklook, self.report]
        names = [*fixed, *(self.companion(layer) for layer in save)]
        return [*names, *(p.with_name(p.name + ".aux.xml") for p in names if p.suffix == ".tif")]


def place_output(scene: Scene, output: str | Path | None) -> Paths:
    """Decide where the class map of a scene lies; nothing is made.

    Parameters
    ----------
    scene : Scene
        Gives the name where `output` does not.
    output : str or Path, optional
        A file ending in .tif, a folder, or nothing for the current folder.

    Returns
    -------
    Paths
        With absolute paths.

    Raises
    ------
    OutputError
        If the file is of another kind than .tif.
    """
    path = _folder(output) / f"{scene.stem}_classes.tif"
    if output is not None and not _is_folder(output):
        path = Path(output)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(
            f"the class map is a GeoTIFF: got --output {output}; choose a name ending in .tif"
        )
    return Paths(path.absolute())


def _is_folder(output: str | Path) -> bool:
    return str(output).endswith(("/", os.sep)) or Path(output).is_dir() or not Path(output).suffix


def _folder(output: str | Path | None) -> Path:
    if output is None:
        return Path()
    return Path(output) if _is_folder(output) else Path(output).parent


def check_outputs(paths: Paths, scene: Scene, save: Sequence[str], *, overwrite: bool) -> None:
    """See that a run replaces nothing it must not, and make its folder.

    Parameters
    ----------
    paths : Paths
        Where the run writes.
    scene : Scene
        Its files are never replaced.
    save : sequence of str
        Further layers.
    overwrite : bool
        Whether outputs of an earlier run may be replaced.

    Raises
    ------
    OutputError
        If an output exists, or is a file of the scene, or its folder cannot be written to.
    """
    outputs = [path for path in paths.outputs(save) if path.exists()]
    sources = scene_files(scene)
    for path in outputs:
        if any(path.samefile(source) for source in sources):
            raise OutputError(
                f"'{path}' is a file of the scene itself and is never replaced: choose another "
                "--output"
            )
    if outputs and not overwrite and not paths.work.exists():
        raise OutputError(
            f"'{outputs[0]}' exists already: choose another --output, or --overwrite to replace it"
        )
    folder = paths.classes.parent
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the folder '{folder}' cannot be written to: choose another --output")


def remove_stale(paths: Paths, save: Sequence[str]) -> None:
    """Delete layers that an earlier run wrote beside its map and this one does not.

    Parameters
    ----------
    paths : Paths
        Where the run writes; the report of the earlier run is still there.
    save : sequence of str
        Layers it writes.
    """
    try:
        written = json.loads(paths.report.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for layer in set(COMPANIONS) - set(save):
        path = paths.companion(layer)
        if written.get(layer) == str(path):
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)


def check_distinct(scenes: Sequence[str | Path], output: str | Path | None) -> None:
    """See that no two scenes would be written to one file.

    Parameters
    ----------
    scenes : sequence of str or Path
        What is to be mapped; those that cannot be opened are left to their turn.
    output : str or Path, optional
        A folder.

    Raises
    ------
    UsageError
        With the first two that collide.
    """
    seen: dict[Path, str] = {}
    for scene in scenes if len(scenes) > 1 else ():
        try:
            path = place_output(open_scene(str(scene)), output).classes
        except WorkbenchError:
            continue
        if path in seen:
            raise UsageError(
                f"'{seen[path]}' and '{scene}' would both be written to '{path}': map them into "
                "different folders, one after the other"
            )
        seen[path] = str(scene)


def build_stable_mosaic(
    scenes: Sequence[str], output: str | Path | None, *, folder: Path | None = None
) -> str:
    """Join scenes into one VRT beside the output; a mosaic that did not change keeps its date.

    Parameters
    ----------
    scenes : sequence of str
        Files, as `raster.find_scenes` lists them.
    output : str or Path, optional
        The class map or its folder; without it, the current folder.
    folder : Path, optional
        Where the VRT goes instead.

    Returns
    -------
    str
        Path of the VRT. With an unchanged date, an unfinished run can go on.

    Raises
    ------
    OutputError
        If it would replace one of the scenes, or cannot be written.
    """
    named = output is not None and not _is_folder(output)
    stem = Path(output or "").stem if named else Path(scenes[0]).stem
    vrt = (folder or _folder(output)) / f"{stem}_mosaic.vrt"
    if any(Path(scene).exists() and vrt.exists() and vrt.samefile(scene) for scene in scenes):
        raise OutputError(f"'{vrt}' is one of the scenes: choose another --output")
    with explain_disk_errors(vrt.parent):
        vrt.parent.mkdir(parents=True, exist_ok=True)
        fresh = build_mosaic(scenes, vrt.with_name(f"{stem}_mosaic.new.vrt"))
        if vrt.exists() and filecmp.cmp(vrt, fresh, shallow=False):
            fresh.unlink()
        else:
            fresh.replace(vrt)
    return str(vrt)
