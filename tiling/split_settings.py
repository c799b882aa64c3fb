"""SplitSettings: how scenes are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tiling.errors import TilingError


@dataclass(frozen=True)
class SplitSettings:
    """How to split.

    Attributes
    ----------
    tile : int
        Side of a chip, px.
    shares : tuple of float
        Shares of the labelled pixels for training, validation and held-out, before the buffer.
    block : int, "scene", "group" or None
        Side of a block, px; "scene" for whole scenes; "group" for scenes that lie nearer to one
        another than the buffer, which then takes nothing; None to choose.
    buffer : int or None
        Least distance between pixels of different parts, px; by default, and at least, `tile`.
    seed : int
        Another seed gives another split.
    tries : int
        Splits that are tried; the one is kept that lacks fewest classes in training, then in
        all parts, and among those the one whose worst served part keeps most of its share.
    """

    tile: int
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    block: int | Literal["scene", "group"] | None = None
    buffer: int | None = None
    seed: int = 0
    tries: int = 32

    @property
    def buffer_px(self) -> int:
        """The buffer that holds, px."""
        return self.tile if self.buffer is None else self.buffer

    def __post_init__(self) -> None:
        shares, tile = self.shares, self.tile
        if tile < 1 or self.tries < 1:
            raise TilingError(
                f"tile and tries must be at least 1: got tile={tile} px and tries={self.tries}"
            )
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6 or shares[0] == 0 or shares[2] == 0:
            raise TilingError(
                "shares of training, validation and held-out must sum to 1, and only validation "
                f"may have none: got {', '.join(map(str, shares))} (try 0.6, 0.2, 0.2)"
            )
        if self.buffer_px < tile:
            raise TilingError(
                f"the buffer must be at least as wide as a chip, or parts share ground: got "
                f"buffer={self.buffer_px} px and tile={tile} px (try buffer={tile})"
            )
        if isinstance(self.block, int) and self.block < tile:
            raise TilingError(
                f"a block must hold at least one chip: got block={self.block} px and "
                f"tile={tile} px (try block={4 * tile})"
            )
