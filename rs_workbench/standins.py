"""Drawn data for every kind of exercise, so that each runs where no data can be had.

Nothing here is measured: a figure reached on drawn data says that the machinery works, and
nothing about the world. `rs_workbench.standin_files` writes them in the layout of the real sets.
"""

from __future__ import annotations

from rs_workbench.standin_digits import Digits, draw_digits
from rs_workbench.standin_ice import IceScene, draw_ice
from rs_workbench.standin_land import LAND_CLASSES, LandScene, draw_land
from rs_workbench.standin_spectra import (
    SPECTRA_CLASSES,
    SpectralScene,
    draw_spectra,
    spectral_library,
)

__all__ = [
    "LAND_CLASSES",
    "SPECTRA_CLASSES",
    "Digits",
    "IceScene",
    "LandScene",
    "SpectralScene",
    "draw_digits",
    "draw_ice",
    "draw_land",
    "draw_spectra",
    "spectral_library",
]
