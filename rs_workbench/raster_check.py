"""What rasterio and GDAL can do here, for `rsw doctor`; run as a child process."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

NEEDED_DRIVERS = ("GTiff", "COG", "VRT", "PNG")


def report() -> dict[str, Any]:
    """Write and read one little GeoTIFF.

    Returns
    -------
    dict
        `versions`, `devices` (none), and `notes` on what is missing.
    """
    import numpy as np
    import rasterio
    from rasterio.drivers import raster_driver_extensions

    pixels = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.tif"
        profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint8"}
        transform = rasterio.Affine(1, 0, 500000, 0, -1, 5000000)
        with rasterio.open(path, "w", crs="EPSG:32633", transform=transform, **profile) as target:
            target.write(pixels)
        with rasterio.open(path) as source:
            if (source.read() != pixels).any() or source.crs.to_epsg() != 32633:
                raise RuntimeError("a GeoTIFF does not come back as it was written")
    with rasterio.Env() as env:
        drivers = env.drivers()
    missing = [name for name in NEEDED_DRIVERS if name not in drivers]
    if missing:
        raise RuntimeError(f"GDAL lacks the drivers {', '.join(missing)}")
    return {
        "versions": {"rasterio": rasterio.__version__, "GDAL": rasterio.__gdal_version__},
        "devices": [],
        "notes": [
            f"{len(drivers)} raster drivers, {len(set(raster_driver_extensions()))} file suffixes"
        ],
    }


if __name__ == "__main__":
    print(json.dumps(report()))
