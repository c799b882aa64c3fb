"""References of every kind, brought together with a map: rasters, points, polygons."""
