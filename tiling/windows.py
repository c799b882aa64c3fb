"""Where tiles lie: aligned grids, and panels of columns that fit a byte budget.

Requirements that shape this file:

* Every tile of a grid has the same size, and starts at a multiple of the network's total
  stride, the last one too. Then, deeper inside than the network's reach, a tile's output equals
  the whole-image output bit for bit.
* The first tile starts and the last tile ends where the (padded) scene does, so that the
  network meets the scene's rim exactly as it would in one whole-image pass.
* The cores of the tiles are disjoint and cover the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from tiling.errors import TilingError


class Window(NamedTuple):
    """Rectangle of pixels.

    Examples
    --------
    >>> Window(2, 3, 4, 5).slices
    (slice(2, 6, None), slice(3, 8, None))
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, ready for ``array[..., *window.slices]``."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )


class Span(NamedTuple):
    """One tile along one axis: [start, stop), and the core [core_start, core_stop) it answers for.

    `stop` may lie beyond the scene (padding up to the stride); cores never do.
    """

    start: int
    stop: int
    core_start: int
    core_stop: int


@dataclass(frozen=True)
class Grid:
    """Tiles over a scene: every pair of a row span and a column span is one tile.

    `ramp` is 0 for centre crop. For blending it is half the width, in px, of the zone around
    each core border in which two neighbouring tiles are mixed.
    """

    shape: tuple[int, int]
    rows: tuple[Span, ...]
    cols: tuple[Span, ...]
    margin: int
    stride: int
    ramp: int = 0

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of every tile, px."""
        row, col = self.rows[0], self.cols[0]
        return row.stop - row.start, col.stop - col.start

    @property
    def n_tiles(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.cols)


def round_up(value: int, step: int) -> int:
    """Round `value` up to a multiple of `step`.

    Examples
    --------
    >>> round_up(46, 8), round_up(48, 8)
    (48, 48)
    """
    return -(-value // step) * step


def cut_spans(
    length: int, tile: int, *, margin: int, stride: int = 1, fixed: bool = False
) -> tuple[Span, ...]:
    """Lay tiles along one axis.

    Parameters
    ----------
    length : int
        Length of the scene along this axis, px.
    tile : int
        Length of a tile, px; a multiple of `stride`.
    margin : int
        Pixels of a tile, at each side that has a neighbour, which are not trusted; a multiple
        of `stride`.
    stride : int, default 1
        The network's total stride, px.
    fixed : bool, default False
        Keep the tile's length even where the scene is shorter (networks of fixed input size).

    Returns
    -------
    tuple of Span
        Tiles from first to last; all of one length; cores disjoint and gapless over
        ``[0, length)``. A scene shorter than a tile gets one tile of the scene's length rounded
        up to `stride`.

    Raises
    ------
    TilingError
        If `tile` or `margin` is off the stride, or the margins leave no core.

    Examples
    --------
    >>> cut_spans(20, 8, margin=2, stride=2)[-1]
    Span(start=12, stop=20, core_start=14, core_stop=20)
    >>> cut_spans(5, 8, margin=2, stride=2)
    (Span(start=0, stop=6, core_start=0, core_stop=5),)
    """
    _check(length, tile, margin=margin, stride=stride)
    padded = round_up(length, stride)
    if padded <= tile:
        return (Span(0, tile if fixed else padded, 0, length),)
    step = tile - 2 * margin
    starts = [*range(0, padded - tile, step), padded - tile]
    cuts = [0, *(start + tile - margin for start in starts[:-1]), length]
    return tuple(Span(start, start + tile, cuts[i], cuts[i + 1]) for i, start in enumerate(starts))


def _check(length: int, tile: int, *, margin: int, stride: int) -> None:
    if length < 1 or stride < 1 or margin < 0:
        raise TilingError(
            "length and stride must be at least 1 px and margin at least 0: "
            f"got length={length}, stride={stride}, margin={margin}"
        )
    if tile % stride or margin % stride:
        raise TilingError(
            f"tile and margin must be multiples of the network's total stride {stride} px: got "
            f"tile={tile} and margin={margin} (try tile="
            f"{round_up(max(tile, 2 * margin + 1), stride)} and margin={round_up(margin, stride)})"
        )
    if tile <= 2 * margin:
        raise TilingError(
            f"tile must be larger than twice the margin, so that windows move on: got tile={tile} "
            f"px and margin={margin} px (try tile={round_up(4 * margin, stride)})"
        )


def make_grid(
    shape: tuple[int, int],
    tile: int,
    *,
    margin: int,
    stride: int = 1,
    blend: bool = False,
    fixed: bool = False,
) -> Grid:
    """Lay an aligned grid of square tiles over a scene.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    tile : int
        Side of a tile, px.
    margin, stride : int
        See `cut_spans`.
    blend : bool, default False
        Mix neighbouring tiles over the whole overlap, ``2 * margin`` px wide.
    fixed : bool, default False
        See `cut_spans`.

    Returns
    -------
    Grid
        Rows and columns of tiles.

    Raises
    ------
    TilingError
        As `cut_spans`; and if blending zones of one tile would overlap each other.
    """
    if blend and 4 * margin > tile:
        raise TilingError(
            f"blending needs an overlap of at most half a tile: got overlap={2 * margin} px and "
            f"tile={tile} px (try overlap={tile // 2 // (2 * stride) * 2 * stride})"
        )
    rows, cols = (
        cut_spans(length, tile, margin=margin, stride=stride, fixed=fixed) for length in shape
    )
    return Grid(shape, rows, cols, margin, stride, ramp=margin if blend else 0)


def cut_panels(cols: Sequence[Span], max_width: int) -> tuple[range, ...]:
    """Group tile columns into panels whose pixels are at most `max_width` wide.

    Parameters
    ----------
    cols : sequence of Span
        Tile columns of a grid.
    max_width : int
        Widest panel that fits the memory, px.

    Returns
    -------
    tuple of range
        Indexes of tile columns, panel by panel, as even as possible; at least one a panel.

    Examples
    --------
    >>> cut_panels(cut_spans(100, 16, margin=0), 64)
    (range(0, 4), range(4, 7))
    """
    n_panels = 1
    while True:
        bounds = [round(i * len(cols) / n_panels) for i in range(n_panels + 1)]
        panels = tuple(range(a, b) for a, b in pairwise(bounds))
        widest = max(cols[p[-1]].stop - cols[p[0]].start for p in panels)
        if widest <= max_width or n_panels == len(cols):
            return panels
        n_panels += 1
