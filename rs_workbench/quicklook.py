"""The quick look: one picture of the scene, its class map and the legend.

Here is what the picture shows; `quicklook_draw` draws it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.quicklook_draw import DPI, Layout, Panel, draw, shorten
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.raster_view import map_strips, read_map, read_view, reduced_shape
from rs_workbench.types import NODATA, LabelMap, Mask, Pixels

View = Callable[[tuple[int, int]], tuple[Pixels, Mask]]

_COUNT_LIMIT = 200_000_000
_SENTINEL = ("b04", "b03", "b02")
_RGB_NM = (665.0, 560.0, 490.0)


def write_quicklook(
    map_path: Path,
    png_path: Path,
    classes: Sequence[LegendClass],
    *,
    scene: Scene | None = None,
    bands: Sequence[int] | None = None,
    pixels: Mapping[int, int] | None = None,
    view: View | None = None,
) -> Path:
    """Draw a class map with its legend, beside the scene it was made from.

    Pixels without data are hatched. Where the pixel size is known there is a scale bar; a map
    that is stored south up is turned, so that north is up.

    Parameters
    ----------
    map_path : Path
        The map.
    png_path : Path
        The picture, at most 1200 px wide.
    classes : sequence of LegendClass
        Classes of the map.
    scene : Scene, optional
        Shown to the left of the map, stretched between its 2nd and 98th percentile.
    bands : sequence of int, optional
        Bands the model read; the first three are shown where the scene does not say which of
        its bands are red, green and blue.
    pixels : mapping of int to int, optional
        Pixels of each class; without it they are counted.
    view : callable, optional
        Gives pixels (B, H, W) and valid (H, W) of `view_bands(scene, bands)` at a shape (H, W);
        without it, the scene is read.

    Returns
    -------
    Path
        `png_path`.

    Raises
    ------
    SceneError
        If the map or the scene cannot be read.
    OutputError
        If the picture cannot be written.
    """
    info = describe_raster(map_path)
    layout = Layout.fit(info.shape, 2 if scene is not None else 1)
    shape = reduced_shape(info.shape, layout.height, layout.width)
    labels = read_map(map_path, shape)
    panels = [Panel("class map", _paint(labels, classes))]
    left = _scene_panel(scene, bands, shape, view) if scene is not None else None
    if left is not None:
        panels.insert(0, left)
    shares = _shares(map_path, info, labels, pixels)
    layout = Layout.fit(info.shape, len(panels))
    figure = draw(_north_up(panels, info), layout, info, (classes, shares))
    try:
        figure.savefig(png_path, dpi=DPI)
    except OSError as error:
        raise OutputError(
            f"'{png_path}' cannot be written ({error.strerror}): make room or choose another "
            "folder"
        ) from error
    return png_path


def _paint(labels: LabelMap, classes: Sequence[LegendClass]) -> NDArray[np.uint8]:
    palette = np.zeros((256, 4), np.uint8)
    for entry in classes:
        palette[entry.value] = (*bytes.fromhex(entry.color[1:]), 255)
    return palette[labels]


def _scene_panel(
    scene: Scene, bands: Sequence[int] | None, shape: tuple[int, int], view: View | None = None
) -> Panel | None:
    shown = view_bands(scene, bands)
    seen = view(shape) if view is not None else read_view(scene, shown, shape)
    if seen is None:
        return None
    return Panel(f"{shorten(scene.name, 38)}  ({_band_words(scene, shown)})", _stretch(*seen))


def _band_words(scene: Scene, bands: Sequence[int]) -> str:
    names = [scene.band_names[b - 1] for b in bands]
    if any(" " in name for name in names):
        return f"band{'s' * (len(bands) > 1)} {', '.join(map(str, bands))}"
    return ", ".join(names)


def view_bands(scene: Scene, bands: Sequence[int] | None = None) -> tuple[int, ...]:
    """Choose the bands that show a scene as the eye sees it.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.
    bands : sequence of int, optional
        Bands to fall back on.

    Returns
    -------
    tuple of int
        Red, green, blue: by name, by Sentinel-2 number, by wavelength; else the first three
        of `bands`; one band for a picture in grey.
    """
    names = [name.casefold() for name in scene.band_names]
    for wanted in (("red", "green", "blue"), _SENTINEL):
        if all(names.count(name) == 1 for name in wanted):
            return tuple(names.index(name) + 1 for name in wanted)
    known = [(w, b) for b, w in enumerate(scene.wavelengths, 1) if w is not None]
    if known:
        near = [min((abs(w - nm), b) for w, b in known) for nm in _RGB_NM]
        if max(distance for distance, _ in near) <= 40:
            return tuple(b for _, b in near)
    rest = tuple(bands or scene.data_bands)
    return rest[:3] if len(rest) >= 3 else rest[:1]


def _stretch(pixels: Pixels, valid: Mask) -> NDArray[np.uint8]:
    """Stretch each band between its 2nd and 98th percentile; invalid pixels are transparent."""
    shown = pixels if len(pixels) == 3 else pixels[[0, 0, 0]]
    scaled = np.zeros((*valid.shape, 3))
    for channel, band in enumerate(shown if valid.any() else ()):
        values = band[valid].astype(np.float64)
        low, high = np.percentile(values, (2, 98))
        scaled[valid, channel] = (values - low) / max(high - low, 1e-12)
    return brighten(scaled, valid)


def brighten(scaled: NDArray[np.floating], valid: Mask) -> NDArray[np.uint8]:
    """Turn stretched bands into a picture.

    Dark scenes are brightened, all bands alike, so that the hue stays.

    Parameters
    ----------
    scaled : ndarray of float, shape (H, W, 3)
        0 is black, 1 white; what lies beyond is clipped.
    valid : ndarray of bool, shape (H, W)
        Other pixels are transparent.

    Returns
    -------
    ndarray of uint8, shape (H, W, 4)
        Red, green, blue and opacity.
    """
    rgba = np.zeros((*valid.shape, 4), np.uint8)
    if not valid.any():
        return rgba
    scaled = np.clip(scaled, 0, 1)
    middle = float(np.clip(np.median(scaled[valid]), 0.05, 0.45))
    rgba[..., :3] = scaled ** max(0.5, math.log(0.45) / math.log(middle)) * 255
    rgba[..., 3] = valid * np.uint8(255)
    return rgba


def _north_up(panels: list[Panel], info: Scene) -> list[Panel]:
    if info.transform is None or info.transform.e <= 0 or not info.transform.is_rectilinear:
        return panels
    return [Panel(panel.title, panel.rgba[::-1]) for panel in panels]


def _shares(
    map_path: Path, info: Scene, labels: LabelMap, pixels: Mapping[int, int] | None
) -> dict[int, float]:
    """Share of each class among the pixels that have one."""
    if pixels is not None:
        counts = np.zeros(256, np.int64)
        for value, count in pixels.items():
            counts[value] = count
    elif info.shape[0] * info.shape[1] <= _COUNT_LIMIT:
        counts = np.zeros(256, np.int64)
        for _, strip in map_strips(map_path, 512):
            counts += np.bincount(strip.ravel(), minlength=256)
    else:
        counts = np.bincount(labels.ravel(), minlength=256)
    counts[NODATA] = 0
    total = max(1, int(counts.sum()))
    return {value: count / total for value, count in enumerate(counts.tolist())}
