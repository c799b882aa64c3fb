"""How numbers are printed in the report: never rounded to a claim that they do not make."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

_WIDE = ("W", "F")


def percent(share: float, digits: int = 1) -> str:
    """Print a share in percent, without the sign.

    Parameters
    ----------
    share : float
        0 to 1, or a difference of shares.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        A share that is not quite 0 or 1 is not printed as if it were.

    Examples
    --------
    >>> percent(0.9467), percent(0.99996), percent(1.0), percent(0.0001), percent(-0.031)
    ('94.7', '> 99.9', '100.0', '< 0.1', '−3.1')
    """
    if math.isnan(share):
        return "–"
    step = 10.0**-digits
    shown = f"{100 * share:.{digits}f}"
    if 0 < share < 1 and float(shown) == 0:
        return f"< {step:.{digits}f}"
    if 0 < share < 1 and float(shown) >= 100:
        return f"> {100 - step:.{digits}f}"
    return _minus(shown)


def span(low: float, high: float, digits: int = 1) -> str:
    """Print an interval of shares in percent, without the sign.

    Parameters
    ----------
    low, high : float
        Bounds, shares.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        Plainly rounded; a bound says nothing about 0 or 1.

    Examples
    --------
    >>> span(0.9285, 0.9651), span(-0.01, 0.02)
    ('92.8–96.5', '−1.0 – 2.0')
    """
    if math.isnan(low) or math.isnan(high):
        return "–"
    ends = [_minus(f"{100 * bound:.{digits}f}") for bound in (low, high)]
    return (" – " if low < 0 else "–").join(ends)


def area_digits(areas_ha: Iterable[float]) -> int:
    """Choose how many digits after the point a table of areas needs.

    Parameters
    ----------
    areas_ha : iterable of float
        All areas of the table, ha; NaN is skipped.

    Returns
    -------
    int
        0 for areas of thousands of ha, up to 4 for small ones.

    Examples
    --------
    >>> area_digits([21158.0, 3.0]), area_digits([12.0]), area_digits([0.02])
    (0, 2, 4)
    """
    largest = max((abs(a) for a in areas_ha if math.isfinite(a)), default=0.0)
    if largest <= 0:
        return 1
    return min(4, max(0, 3 - math.floor(math.log10(largest))))


def area(area_ha: float, digits: int) -> str:
    """Print an area with a separator at thousands.

    Parameters
    ----------
    area_ha : float
        Area, ha.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        A dash where it is unknown.

    Examples
    --------
    >>> area(21157.8, 0), area(float("nan"), 0)
    ('21,158', '–')
    """
    return "–" if math.isnan(area_ha) else _minus(f"{area_ha:,.{digits}f}")


def count(number: int) -> str:
    """Print a count with a separator at thousands.

    Parameters
    ----------
    number : int
        A count.

    Returns
    -------
    str
        Every digit of it.

    Examples
    --------
    >>> count(6450000)
    '6,450,000'
    """
    return f"{int(number):,}"


def p_value(p: float) -> str:
    """Print a p value with its sign of comparison.

    Parameters
    ----------
    p : float
        0 to 1.

    Returns
    -------
    str
        Three digits, or that it is below them.

    Examples
    --------
    >>> p_value(0.0312), p_value(1e-9)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def plain(text: str) -> str:
    r"""Replace control characters, which neither HTML nor SVG may hold.

    Parameters
    ----------
    text : str
        From a file.

    Returns
    -------
    str
        On one line.

    Examples
    --------
    >>> plain("reed\x00 bed\n2")
    'reed  bed 2'
    """
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Cf") else c for c in text)


def shown_width(text: str) -> float:
    """Estimate how wide a text is, in units of its font size.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    float
        Chinese characters take about twice the room of Latin ones.

    Examples
    --------
    >>> shown_width("水体"), shown_width("open")
    (2.0, 2.2)
    """
    wide = sum(unicodedata.east_asian_width(c) in _WIDE for c in text)
    return wide + round(0.55 * (len(text) - wide), 6)


def shorten(text: str, width: float) -> str:
    """Cut a text that is wider than there is room for, in its middle: ends tell names apart.

    Parameters
    ----------
    text : str
        Any text.
    width : float
        Room, in units of the font size.

    Returns
    -------
    str
        The text, or its ends with an ellipsis between.

    Examples
    --------
    >>> shorten("evergreen needleleaf forest", 9)
    'evergre…forest'
    """
    if shown_width(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while shown_width(head + tail) + 1 > width and (head or tail):
        head, tail = (head[:-1], tail) if len(head) > len(tail) else (head, tail[1:])
    return f"{head.rstrip()}…{tail.lstrip()}"


def _minus(shown: str) -> str:
    if shown.startswith("-"):
        return "−" + shown[1:] if float(shown.replace(",", "")) else shown[1:]
    return shown
