"""Rasters in and out: the door to everything that touches GDAL.

Only files called `raster*.py` import rasterio. Bands count from 1, windows are (row, col, height,
width) in pixels, and every open runs with Python code in VRT files switched off.
"""

from rs_workbench.raster_area import scene_area_ha
from rs_workbench.raster_bands import choose_bands
from rs_workbench.raster_find import find_scenes
from rs_workbench.raster_gdal import gdal_settings
from rs_workbench.raster_mosaic import build_mosaic, stack_bands
from rs_workbench.raster_reader import ScenePixels, SceneReader
from rs_workbench.raster_resample import at_pixel_size
from rs_workbench.raster_scene import Scene, open_scene, scene_files
from rs_workbench.raster_vrt import RasterSpec
from rs_workbench.raster_write import finish_raster

__all__ = [
    "RasterSpec",
    "Scene",
    "ScenePixels",
    "SceneReader",
    "at_pixel_size",
    "build_mosaic",
    "choose_bands",
    "find_scenes",
    "finish_raster",
    "gdal_settings",
    "open_scene",
    "scene_area_ha",
    "scene_files",
    "stack_bands",
]
