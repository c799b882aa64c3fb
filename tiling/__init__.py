"""Tiles over arrays of any size: NumPy only, no files, no frameworks."""

from tiling.blend import Taper, ramp_weights
from tiling.chips import Chip, grid_positions, shuffle_chips
from tiling.cover import cover_chips
from tiling.errors import TilingError
from tiling.label_index import IGNORE, LabelIndex, index_labels
from tiling.leaks import check_split, find_leaks, random_split
from tiling.pipeline import run_stages
from tiling.sampler import Sampler, Sampling, draw_chip, make_sampler
from tiling.sliding import Stages, Strip, list_strips, predict_array, slide
from tiling.split import Split, part_mask, split_scenes
from tiling.split_settings import SplitSettings
from tiling.windows import Grid, Span, Window, cut_panels, cut_spans, make_grid, round_up

__all__ = [
    "IGNORE",
    "Chip",
    "Grid",
    "LabelIndex",
    "Sampler",
    "Sampling",
    "Span",
    "Split",
    "SplitSettings",
    "Stages",
    "Strip",
    "Taper",
    "TilingError",
    "Window",
    "check_split",
    "cover_chips",
    "cut_panels",
    "cut_spans",
    "draw_chip",
    "find_leaks",
    "grid_positions",
    "index_labels",
    "list_strips",
    "make_grid",
    "make_sampler",
    "part_mask",
    "predict_array",
    "ramp_weights",
    "random_split",
    "round_up",
    "run_stages",
    "shuffle_chips",
    "slide",
    "split_scenes",
]
