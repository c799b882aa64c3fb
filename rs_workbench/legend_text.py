"""Names of classes in pictures: in Latin and Chinese script, with the fonts that there are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rs_workbench.card import LegendClass

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


_CJK_FILES = ("NotoSansCJK", "SourceHanSans", "msyh", "simhei", "PingFang", "wqy-")
"""How files of such fonts begin."""


def class_label(entry: LegendClass) -> str:
    """Name a class in a picture.

    Parameters
    ----------
    entry : LegendClass
        The class.

    Returns
    -------
    str
        Both names where an installed font has all their characters, else the first.
    """
    both = f"{entry.name} {entry.name_zh}" if entry.name_zh else entry.name
    return both if drawable(both) == both else entry.name


def legend_fonts() -> list[str]:
    """List fonts for names in Latin and Chinese script.

    Returns
    -------
    list of str
        Installed fonts, for matplotlib's ``font.family``.
    """
    return ["DejaVu Sans", *(_cjk_fonts() or _find_cjk_fonts())]


def _cjk_fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [font for font in _CJK_FONTS if font in installed]


@cache
def _find_cjk_fonts() -> tuple[str, ...]:
    """Look among the system's files: matplotlib keeps a list from before a font was installed."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    for path in findSystemFonts():
        if Path(path).name.startswith(_CJK_FILES):
            fontManager.addfont(path)
    return tuple(_cjk_fonts())


def drawable(text: str) -> str:
    """Replace characters that no installed font has; matplotlib would warn and draw boxes.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text, with question marks in their place.
    """
    from matplotlib.font_manager import findfont, get_font

    known: set[int] = set()
    for font in legend_fonts():
        known |= get_font(findfont(font)).get_charmap().keys()
    return "".join(c if ord(c) in known else "?" for c in text)
