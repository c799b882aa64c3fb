"""Many files as one scene: side by side as a mosaic, or band by band as a stack.

A mosaic is a VRT that GDAL itself builds, through its `gdalbuildvrt` program or its Python
bindings in a process of their own. A stack is a plain VRT, which needs neither.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rs_workbench.errors import MissingDependencyError, SceneError
from rs_workbench.raster_scene import Scene, crs_of, open_scene
from rs_workbench.raster_vrt import GDAL_TYPES

_THROUGH_OSGEO = """
import sys
from osgeo import gdal
gdal.UseExceptions()
vrt, listed = sys.argv[1:]
names = open(listed, encoding="utf-8").read().splitlines()
options = gdal.BuildVRTOptions(strict=True, resolution="highest")
gdal.BuildVRT(vrt, names, options=options).FlushCache()
"""


def build_mosaic(paths: Sequence[str], vrt_path: Path) -> Path:
    """Join files into one scene.

    Files of one band each on one grid become the bands of a stack; any others have to lie side
    by side and become a mosaic, in which later files cover earlier ones.

    Parameters
    ----------
    paths : sequence of str
        Files, or names that GDAL opens.
    vrt_path : Path
        Where the VRT is written.

    Returns
    -------
    Path
        `vrt_path`.

    Raises
    ------
    SceneError
        If the files differ in coordinate system, number of bands or pixel type, or one has no
        georeference.
    MissingDependencyError
        If neither GDAL's programs nor its Python bindings are installed.
    """
    scenes = [open_scene(path) for path in paths]
    if can_stack(scenes):
        return _write_stack(scenes, vrt_path)
    _check_mosaic(scenes)
    names = [_absolute(scene.path) for scene in scenes]
    vrt_path = Path(vrt_path)
    partial = vrt_path.with_name(f"{vrt_path.stem}.partial.vrt")
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "files.txt"
        listed.write_text("\n".join(names) + "\n", encoding="utf-8")
        _run(_mosaic_command(partial, listed), partial)
    partial.replace(vrt_path)
    return vrt_path


def can_stack(scenes: Sequence[Scene]) -> bool:
    """Whether every scene has one band and all share one grid, as one-file-per-band products do.

    Parameters
    ----------
    scenes : sequence of Scene
        What `open_scene` returned.

    Returns
    -------
    bool
        False for fewer than two scenes.
    """
    first = scenes[0]
    return len(scenes) > 1 and all(s.count == 1 and _same_grid(s, first) for s in scenes)


def stack_bands(paths: Sequence[str], vrt_path: Path) -> Path:
    """Make one scene of files that hold one band each, in natural order of their names.

    Parameters
    ----------
    paths : sequence of str
        Files, or names that GDAL opens.
    vrt_path : Path
        Where the VRT is written.

    Returns
    -------
    Path
        `vrt_path`. Bands are named by what differs between the file names.

    Raises
    ------
    SceneError
        If a file has more than one band, or lies on another grid than the first.
    """
    scenes = [open_scene(path) for path in paths]
    for scene in scenes:
        if scene.count != 1:
            raise SceneError(
                f"'{scene.name}' has {scene.count} bands, but only files of one band can be "
                "stacked: leave it out"
            )
        if not _same_grid(scene, scenes[0]):
            raise SceneError(
                f"'{scene.name}' ({_grid_words(scene)}) does not lie on the grid of "
                f"'{scenes[0].name}' ({_grid_words(scenes[0])}): leave it out, or resample it "
                "with  gdalwarp"
            )
    return _write_stack(scenes, vrt_path)


def _same_grid(scene: Scene, other: Scene) -> bool:
    if scene.shape != other.shape or crs_of(scene) != crs_of(other):
        return False
    if scene.transform is None or other.transform is None:
        return scene.transform is other.transform and scene.gcps == other.gcps
    pixel = max(abs(scene.transform.a), abs(scene.transform.b))
    return scene.transform.almost_equals(other.transform, precision=1e-3 * pixel)


def _grid_words(scene: Scene) -> str:
    return f"{scene.shape[0]} x {scene.shape[1]} px, {_crs_words(scene)}"


def _crs_words(scene: Scene) -> str:
    crs = crs_of(scene)
    if crs is None:
        return "no coordinate system"
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else re.split(r'"', crs.to_wkt())[1]


def _check_mosaic(scenes: Sequence[Scene]) -> None:
    first = scenes[0]
    for scene in scenes:
        if scene.transform is None:
            raise SceneError(
                f"'{scene.name}' has no georeference, so its place in a mosaic is unknown: map "
                "it without --mosaic"
            )
        if crs_of(scene) != crs_of(first):
            raise SceneError(
                f"'{scene.name}' is in {_crs_words(scene)}, but '{first.name}' is in "
                f"{_crs_words(first)}: bring them to one coordinate system with  gdalwarp -t_srs"
            )
        for what, mine, theirs in (
            ("bands", scene.count, first.count),
            ("pixels of type", scene.dtype, first.dtype),
        ):
            if mine != theirs:
                raise SceneError(
                    f"'{scene.name}' has {_counted(what, mine)}, but '{first.name}' has "
                    f"{_counted(what, theirs)}: a mosaic needs the same in every file"
                )


def _counted(what: str, value: object) -> str:
    return f"{value} {what}" if what == "bands" else f"{what} {value}"


def _mosaic_command(vrt: Path, listed: Path) -> list[str]:
    program = shutil.which("gdalbuildvrt")
    if program:
        options = ["-q", "-strict", "-overwrite", "-resolution", "highest"]
        return [program, *options, "-input_file_list", str(listed), str(vrt)]
    if importlib.util.find_spec("osgeo") is not None:
        return [sys.executable, "-c", _THROUGH_OSGEO, str(vrt), str(listed)]
    raise MissingDependencyError(
        "--mosaic needs GDAL's own programs, which are not installed: run  "
        f"{_install_command()}  or build the mosaic elsewhere with  gdalbuildvrt mosaic.vrt *.tif"
    )


def _install_command() -> str:
    if os.environ.get("CONDA_PREFIX") or sys.platform == "win32":
        return "conda install -c conda-forge gdal"
    return "brew install gdal" if sys.platform == "darwin" else "sudo apt-get install gdal-bin"


def _run(command: list[str], vrt: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not vrt.is_file():
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        vrt.unlink(missing_ok=True)
        raise SceneError(
            f"the mosaic could not be built ({said}): leave out the file it names, or map the "
            "files one by one without --mosaic"
        )


def _absolute(name: str) -> str:
    return str(Path(name).absolute()) if Path(name).exists() else name


def _write_stack(scenes: Sequence[Scene], vrt_path: Path) -> Path:
    stems = {scene.path: _stem(scene.name) for scene in scenes}
    ordered = sorted(scenes, key=lambda scene: _natural(stems[scene.path]))
    names = _distinct_parts([stems[scene.path] for scene in ordered])
    height, width = ordered[0].shape
    root = ElementTree.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    _add_grid(root, ordered[0])
    for number, (scene, name) in enumerate(zip(ordered, names, strict=True), 1):
        _add_source(root, number, scene, name)
    vrt_path = Path(vrt_path)
    vrt_path.write_text(ElementTree.tostring(root, encoding="unicode"), encoding="utf-8")
    return vrt_path


def _stem(name: str) -> str:
    return re.sub(r"\.\w{2,5}$", "", name)


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key by which B2 comes before B11, and B8A after B8."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _distinct_parts(stems: Sequence[str]) -> list[str]:
    """Cut what all names share at both ends, at the borders of words."""
    words = [re.split(r"([\s_\-.,]+)", stem) for stem in stems]
    shortest = min(map(len, words))
    start = 0
    while start < shortest - 1 and len({w[start] for w in words}) == 1:
        start += 1
    stop = 0
    while stop < shortest - start - 1 and len({w[-1 - stop] for w in words}) == 1:
        stop += 1
    return ["".join(w[start : len(w) - stop]).strip(" _-.,") or "".join(w) for w in words]


def _add_grid(root: ElementTree.Element, scene: Scene) -> None:
    if scene.crs_wkt and not scene.gcps:
        ElementTree.SubElement(root, "SRS").text = scene.crs_wkt
    if scene.transform is not None:
        numbers = ", ".join(map(repr, scene.transform.to_gdal()))
        ElementTree.SubElement(root, "GeoTransform").text = numbers


def _add_source(root: ElementTree.Element, number: int, scene: Scene, name: str) -> None:
    band = ElementTree.SubElement(
        root, "VRTRasterBand", dataType=GDAL_TYPES[scene.dtype], band=str(number)
    )
    ElementTree.SubElement(band, "Description").text = name
    if scene.nodata[0] is not None:
        ElementTree.SubElement(band, "NoDataValue").text = repr(scene.nodata[0])
    source = ElementTree.SubElement(band, "SimpleSource")
    file = ElementTree.SubElement(source, "SourceFilename", relativeToVRT="0")
    file.text = _absolute(scene.path)
    ElementTree.SubElement(source, "SourceBand").text = "1"
    properties = {
        "RasterXSize": str(scene.shape[1]),
        "RasterYSize": str(scene.shape[0]),
        "DataType": GDAL_TYPES[scene.dtype],
        "BlockXSize": str(scene.block[1]),
        "BlockYSize": str(scene.block[0]),
    }
    ElementTree.SubElement(source, "SourceProperties", properties)
