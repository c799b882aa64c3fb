"""The quick look: one picture of the scene, its class map and the legend.

Sizes in this file are pixels of the picture; the origin of the layout is the top left corner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.raster_view import map_strips, read_map, read_view, reduced_shape
from rs_workbench.types import NODATA, LabelMap, Mask, Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1200
_DPI = 100
_EDGE, _GAP, _TITLE, _FOOT = 24, 20, 34, 30
_LEGEND_WIDTH, _LEGEND_ROW = 236, 26
_PANEL_HEIGHT = 820
_WIDE = 1.8
_SLOT = 150  # narrower panels stand in a slot of this width, so that titles do not meet
_TITLE_PER_CHARACTER = 7
_COUNT_LIMIT = 200_000_000
_INK, _PAPER, _NO_DATA, _HATCH = "#222222", "#ffffff", "#f3f3f3", "#cfcfcf"
_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
_SENTINEL = ("b04", "b03", "b02")
_RGB_NM = (665.0, 560.0, 490.0)


@dataclass(frozen=True)
class _Layout:
    """Where the panels lie: side by side, or one above the other where they are wide."""

    count: int
    stacked: bool
    height: int = 0
    width: int = 0

    @classmethod
    def fit(cls, shape: tuple[int, int], count: int) -> _Layout:
        """Give every panel as much room as the picture has; small maps are enlarged."""
        stacked = count > 1 and shape[1] > _WIDE * shape[0]
        across, down = (1, count) if stacked else (count, 1)
        room = (WIDTH - 2 * _EDGE - _LEGEND_WIDTH) // across - _GAP
        factor = min(room / shape[1], _PANEL_HEIGHT / down / shape[0])
        return cls(
            count, stacked, max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
        )

    @property
    def slot(self) -> int:
        """Width kept for one panel."""
        return max(self.width, _SLOT)

    @property
    def across(self) -> int:
        """Width of all panels with their gaps."""
        return (1 if self.stacked else self.count) * (self.slot + _GAP)

    @property
    def down(self) -> int:
        """Height of all panels with their titles."""
        return (self.count if self.stacked else 1) * (self.height + _TITLE)

    def place(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, width, height of one panel."""
        left = _EDGE + (0 if self.stacked else index * (self.slot + _GAP))
        top = _TITLE + (index * (self.height + _TITLE) if self.stacked else 0)
        return left, top, self.width, self.height


@dataclass(frozen=True)
class _Panel:
    """One picture of the figure."""

    title: str
    rgba: NDArray[np.uint8]


def write_quicklook(
    map_path: Path,
    png_path: Path,
    classes: Sequence[LegendClass],
    *,
    scene: Scene | None = None,
    bands: Sequence[int] | None = None,
    pixels: Mapping[int, int] | None = None,
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
    layout = _Layout.fit(info.shape, 2 if scene is not None else 1)
    shape = reduced_shape(info.shape, layout.height, layout.width)
    labels = read_map(map_path, shape)
    panels = [_Panel("class map", _paint(labels, classes))]
    view = _scene_panel(scene, bands, shape) if scene is not None else None
    if view is not None:
        panels.insert(0, view)
    shares = _shares(map_path, info, labels, pixels)
    layout = _Layout.fit(info.shape, len(panels))
    figure = _draw(_north_up(panels, info), layout, info, (classes, shares))
    try:
        figure.savefig(png_path, dpi=_DPI)
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
    scene: Scene, bands: Sequence[int] | None, shape: tuple[int, int]
) -> _Panel | None:
    shown = view_bands(scene, bands)
    view = read_view(scene, shown, shape)
    if view is None:
        return None
    return _Panel(f"{_shorten(scene.name, 38)}  ({_band_words(scene, shown)})", _stretch(*view))


def _band_words(scene: Scene, bands: Sequence[int]) -> str:
    names = [scene.band_names[b - 1] for b in bands]
    if any(" " in name for name in names):
        return f"band{'s' * (len(bands) > 1)} {', '.join(map(str, bands))}"
    return ", ".join(names)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 11]}...{text[-8:]}"


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
    """Stretch each band between its 2nd and 98th percentile; invalid pixels are transparent.

    Dark scenes are brightened, all bands alike, so that the hue stays.
    """
    rgba = np.zeros((*valid.shape, 4), np.uint8)
    if not valid.any():
        return rgba
    shown = pixels if len(pixels) == 3 else pixels[[0, 0, 0]]
    scaled = np.zeros((*valid.shape, 3))
    for channel, band in enumerate(shown):
        values = band[valid].astype(np.float64)
        low, high = np.percentile(values, (2, 98))
        scaled[valid, channel] = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    middle = float(np.clip(np.median(scaled[valid]), 0.05, 0.45))
    rgba[..., :3] = scaled ** max(0.5, math.log(0.45) / math.log(middle)) * 255
    rgba[..., 3] = valid * np.uint8(255)
    return rgba


def _north_up(panels: list[_Panel], info: Scene) -> list[_Panel]:
    if info.transform is None or info.transform.e <= 0 or not info.transform.is_rectilinear:
        return panels
    return [_Panel(panel.title, panel.rgba[::-1]) for panel in panels]


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


def _draw(
    panels: Sequence[_Panel],
    layout: _Layout,
    info: Scene,
    legend: tuple[Sequence[LegendClass], Mapping[int, float]],
) -> Figure:
    # Imported here, because it costs a third of a second that other verbs need not pay.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = max(layout.down, _TITLE + _LEGEND_ROW * (len(legend[0]) + 2)) + _FOOT
    width = 2 * _EDGE + layout.across + _LEGEND_WIDTH
    with rc_context({"font.family": _fonts(), "font.size": 10, "hatch.linewidth": 0.6}):
        figure = Figure((width / _DPI, height / _DPI), dpi=_DPI, facecolor=_PAPER)
        FigureCanvasAgg(figure)
        for index, panel in enumerate(panels):
            axes = _axes(figure, layout.place(index))
            _show(axes, panel, layout.slot // _TITLE_PER_CHARACTER)
        _add_scale(axes, (layout.height, layout.width), info)
        place = (_EDGE + layout.across, _TITLE, _LEGEND_WIDTH, height - _TITLE)
        _add_legend(_axes(figure, place), height - _TITLE, *legend)
    return figure


def _axes(figure: Figure, place: tuple[int, int, int, int]) -> Axes:
    """Axes at (left, top, width, height)."""
    full_width, full_height = figure.get_size_inches() * _DPI
    left, top, width, height = place
    bottom = full_height - top - height
    box = (left / full_width, bottom / full_height, width / full_width, height / full_height)
    axes = figure.add_axes(box)
    axes.set(xticks=[], yticks=[])
    return axes


def _show(axes: Axes, panel: _Panel, title_length: int) -> None:
    axes.patch.set(facecolor=_NO_DATA, edgecolor=_HATCH, hatch="////")
    height, width = panel.rgba.shape[:2]
    axes.imshow(panel.rgba, interpolation="nearest", aspect="auto", extent=(0, width, height, 0))
    title = _shorten(_drawable(panel.title), title_length)
    axes.set_title(title, fontsize=10, color=_INK, loc="left", pad=6)
    for spine in axes.spines.values():
        spine.set(color="#888888", linewidth=0.8)


def _add_scale(axes: Axes, size: tuple[int, int], info: Scene) -> None:
    """Draw a scale bar of a round length under the map, and north where it is up."""
    if info.pixel_size is None:
        return
    metres = info.pixel_size[1] * info.shape[1]
    length = round_length(0.3 * metres)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    below = -10 / size[0]
    share = length / metres
    plain: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "color": _INK}
    axes.plot([0, share], [below, below], linewidth=2.5, solid_capstyle="butt", **plain)
    axes.text(
        share + 6 / size[1], below, text, va="center", fontsize=9, color=_INK,
        transform=axes.transAxes,
    )  # fmt: skip
    if info.transform is not None and info.transform.is_rectilinear and size[1] >= 2 * _SLOT:
        axes.text(
            1, below, "north up", va="center", ha="right", fontsize=9, color=_INK,
            transform=axes.transAxes,
        )  # fmt: skip


def round_length(metres: float) -> float:
    """Round a length down to 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    metres : float
        Length, m.

    Returns
    -------
    float
        Length, m.

    Examples
    --------
    >>> round_length(3456.0), round_length(0.7)
    (2000.0, 0.5)
    """
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))


def _add_legend(
    axes: Axes, height: int, classes: Sequence[LegendClass], shares: Mapping[int, float]
) -> None:
    from matplotlib.patches import Rectangle

    axes.axis("off")
    axes.set(xlim=(0, _LEGEND_WIDTH), ylim=(height, 0))
    style: dict[str, Any] = {"va": "center", "fontsize": 10, "color": _INK}
    for row, entry in enumerate(classes):
        y = row * _LEGEND_ROW + 10
        axes.add_patch(Rectangle((2, y - 8), 22, 16, facecolor=entry.color, edgecolor="#666666"))
        axes.text(32, y, _shorten(_drawable(_label(entry)), 26), **style)
        share = _percent(shares.get(entry.value, 0.0))
        axes.text(_LEGEND_WIDTH - 6, y, share, ha="right", **style)
    y = len(classes) * _LEGEND_ROW + 10
    patch = Rectangle(
        (2, y - 8), 22, 16, facecolor=_NO_DATA, edgecolor=_HATCH, hatch="////", linewidth=0.8
    )
    axes.add_patch(patch)
    axes.text(32, y, "no data", **style)


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def _label(entry: LegendClass) -> str:
    both = f"{entry.name} {entry.name_zh}" if entry.name_zh else entry.name
    return both if _drawable(both) == both else entry.name


def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(font for font in _CJK_FONTS if font in installed)]


def _drawable(text: str) -> str:
    """Replace characters that no installed font has; matplotlib would warn and draw boxes."""
    from matplotlib.font_manager import findfont, get_font

    known: set[int] = set()
    for font in _fonts():
        known |= get_font(findfont(font)).get_charmap().keys()
    return "".join(c if ord(c) in known else "?" for c in text)
