"""Pairs of small label rasters, and what must come out of them."""

from __future__ import annotations

import numpy as np
from affine import Affine

from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.accuracy.reference.legend import parse_classes
from tests.workbench.rasters import NORTH_UP, write_tif

LEGEND = parse_classes("0=water,1=ice,4=land")
DEGREES = Affine(0.01, 0, 10.0, 0, -0.01, 60.0)


def shifted(cols=0.0, rows=0.0, *, of=NORTH_UP, zoom=1.0):
    """A grid that begins some pixels further on, with larger pixels."""
    a, b, c, d, e, f = of[:6]
    return Affine(a * zoom, b, c + a * cols, d, e * zoom, f + e * rows)


def labels(seed, shape=(40, 50), values=(0, 1, 4, 255)):
    return np.random.default_rng(seed).choice(np.array(values, np.uint8), shape)


def write(path, pixels, **profile):
    return write_tif(path, pixels[None], **{"nodata": 255, **profile})


def expected(ours, truth, values=(0, 1, 4)):
    confusion = Confusion(len(values), values=values, nodata=255, ignore=255)
    confusion.update(ours, truth)
    return confusion


def same(counts, confusion):
    np.testing.assert_array_equal(counts.confusion.matrix, confusion.matrix)
    assert counts.confusion.map_nodata == confusion.map_nodata
    assert counts.confusion.unlabelled == confusion.unlabelled
