"""The one error of this package."""

from __future__ import annotations


class TilingError(ValueError):
    """A tile, margin or budget that cannot work; the text says which would."""
