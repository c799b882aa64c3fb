"""Tiles over arrays of any size: NumPy only, no files, no frameworks."""

from tiling.blend import Taper, ramp_weights
from tiling.errors import TilingError
from tiling.pipeline import run_stages
from tiling.sliding import Stages, Strip, list_strips, predict_array, slide
from tiling.windows import Grid, Span, Window, cut_panels, cut_spans, make_grid, round_up

__all__ = [
    "Grid",
    "Span",
    "Stages",
    "Strip",
    "Taper",
    "TilingError",
    "Window",
    "cut_panels",
    "cut_spans",
    "list_strips",
    "make_grid",
    "predict_array",
    "ramp_weights",
    "round_up",
    "run_stages",
    "slide",
]
