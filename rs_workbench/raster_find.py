"""find_scenes: from what the user types to a list of rasters."""

from __future__ import annotations

import difflib
import glob
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from rs_workbench.errors import SceneError

RASTER_SUFFIXES = frozenset(
    """.tif .tiff .gtif .gtiff .vrt .jp2 .j2k .img .envi .dat .bsq .bil .bip .nc .nc4 .h5 .hdf
    .hdf5 .he5 .grd .asc .png .jpg .jpeg .bmp .ntf .kea .pix .mbtiles .ecw .sid""".split()
)
_OUTPUTS = re.compile(
    r"(_classes|_confidence|_margin|_scores|_quicklook)\.\w+$|\.partial\b", re.IGNORECASE
)
_GDAL_NAME = re.compile(r"^(/vsi|\w{2,}:)")
_WHOLE_FOLDERS = (".safe", ".zarr")


def find_scenes(patterns: Sequence[str]) -> list[str]:
    """List the rasters that files, folders, globs and GDAL names stand for.

    A folder gives the rasters directly inside it, without overviews, masks and the outputs of
    earlier runs. A `.zip` gives the rasters inside it. GDAL names (`/vsizip/...`,
    `NETCDF:"a.nc":var`, `https://...`) pass unchanged.

    Parameters
    ----------
    patterns : sequence of str
        What the user typed.

    Returns
    -------
    list of str
        Names for `open_scene`, each once: as typed, and sorted within folders and globs.

    Raises
    ------
    SceneError
        If a pattern stands for nothing.
    """
    found: list[str] = []
    for pattern in patterns:
        found.extend(_expand(str(pattern)))
    return list(dict.fromkeys(found))


def _expand(pattern: str) -> list[str]:
    path = Path(pattern)
    if _GDAL_NAME.match(pattern):
        return [pattern]
    if path.is_dir() and path.suffix.lower() not in _WHOLE_FOLDERS:
        return _in_folder(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return _in_zip(path)
    if path.exists():
        return [pattern]
    if glob.has_magic(pattern):
        return _in_glob(pattern)
    raise SceneError(f"'{pattern}' was not found: {_next_step(path)}")


def _next_step(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder '{folder}' either"
    names = [p.name for p in folder.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean '{folder / near[0]}'?" if near else "check the name and the folder"


def _in_folder(folder: Path) -> list[str]:
    scenes = [str(p) for p in sorted(folder.iterdir()) if _is_scene(p)]
    if not scenes:
        raise SceneError(
            f"the folder '{folder}' holds no raster: give one that does, or a file, or a glob "
            f"such as '{folder / '*' / '*.tif'}'"
        )
    return scenes


def _in_glob(pattern: str) -> list[str]:
    paths = [Path(p) for p in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns
    scenes = [str(p) for p in paths if _is_scene(p)]
    if not scenes:
        what = f"matches {len(paths)} files, but no raster" if paths else "matches no file"
        raise SceneError(f"'{pattern}' {what}: check the pattern and the folder")
    return scenes


def _is_scene(path: Path) -> bool:
    if path.is_dir():
        return path.suffix.lower() in _WHOLE_FOLDERS
    if _OUTPUTS.search(path.name) or not path.is_file():
        return False
    suffix = path.suffix.lower()
    has_envi_header = path.with_name(path.name + ".hdr").is_file() or (
        suffix != ".hdr" and path.with_suffix(".hdr").is_file()
    )
    return suffix in RASTER_SUFFIXES or (has_envi_header and suffix in ("", ".raw", ".bin"))


def _in_zip(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise SceneError(f"'{path}' is not a whole zip file ({error}): fetch it again") from error
    if any(".SAFE/" in name for name in names):
        return [str(path)]
    inside = [n for n in sorted(names) if Path(n).suffix.lower() in RASTER_SUFFIXES]
    if not inside:
        raise SceneError(f"'{path}' holds no raster among its {len(names)} files: unpack it first")
    return [f"/vsizip/{path.absolute().as_posix()}/{name}" for name in inside]
