"""Drawing: polygons on the grid of a map, window by window, by the centres of pixels."""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from rs_workbench.accuracy.reference.raster_places import to_map
from rs_workbench.accuracy.reference.raster_windows import Window
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene

EMPTY = -1
"""Number of the polygon where there is none."""


class Drawing:
    """Polygons in pixels of the map, to be drawn window by window.

    Parameters
    ----------
    polygons : VectorReference
        From `read_reference`.
    scene : Scene
        The map.
    truth : ndarray of intp, shape (n,)
        Class of each, below 0 where it has none.
    leave_out : str
        How the user leaves labels out, for messages.
    """

    def __init__(
        self,
        polygons: VectorReference,
        scene: Scene,
        truth: NDArray[np.intp],
        *,
        leave_out: str = "with --out-of-scope",
    ) -> None:
        import shapely

        self.source, self.truth, self._leave_out = polygons, truth, leave_out
        self.shapes = _in_pixels(scene, polygons)
        bounds = shapely.bounds(self.shapes)
        self.bounds = np.where(np.isfinite(bounds).all(axis=1, keepdims=True), bounds, np.nan)

    def touches(self, window: Window) -> NDArray[np.bool_]:
        """Tell whether each polygon's box meets a window.

        Parameters
        ----------
        window : tuple of int, (row, col, height, width)
            In pixels of the map.

        Returns
        -------
        ndarray of bool, shape (n,)
            For each polygon.
        """
        top, left, height, width = window
        x0, y0, x1, y1 = self.bounds.T
        meets: NDArray[np.bool_] = np.logical_and.reduce(
            [x0 < left + width, x1 > left, y0 < top + height, y1 > top]
        )
        return meets

    def pixels_outside(self, shape: tuple[int, int]) -> int:
        """Sum up the area of labelled polygons beyond the map.

        Parameters
        ----------
        shape : tuple of int, (H, W)
            Size of the map.

        Returns
        -------
        int
            To whole pixels.
        """
        import shapely

        height, width = shape
        x0, y0, x1, y1 = self.bounds.T
        crosses = (x0 < 0) | (y0 < 0) | (x1 > width) | (y1 > height)
        shapes = shapely.make_valid(self.shapes[crosses & (self.truth >= 0)])
        beyond = shapely.difference(shapes, shapely.box(0, 0, width, height))
        return round(float(shapely.area(beyond).sum()))

    def draw(self, window: Window) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Draw the polygons on a window.

        Parameters
        ----------
        window : tuple of int, (row, col, height, width)
            In pixels of the map.

        Returns
        -------
        labelled, others : ndarray of int32, shape (height, width)
            Number of the polygon with a label, and of that without, at each pixel; -1 for none.

        Raises
        ------
        AccuracyError
            If polygons with different labels overlap.
        """
        here = np.flatnonzero(self.touches(window))
        here = here[np.argsort(self.truth[here], kind="stable")]
        labelled, others = here[self.truth[here] >= 0], here[self.truth[here] < 0]
        numbers = self._burn(labelled, window)
        # Whichever order they are drawn in, polygons of one class show that class.
        turned = self._burn(labelled[::-1], window)
        clash = (numbers != turned) & (self.truth[numbers] != self.truth[turned])
        if clash.any():
            self._refuse(numbers[clash][0], turned[clash][0], int(clash.sum()))
        return numbers, self._burn(others, window)

    def _burn(self, chosen: NDArray[np.intp], window: Window) -> NDArray[np.int32]:
        top, left, height, width = window
        if not len(chosen):
            return np.full((height, width), EMPTY, np.int32)
        return np.asarray(
            rasterize(
                zip(self.shapes[chosen], chosen.tolist(), strict=True),
                out_shape=(height, width),
                fill=EMPTY,
                transform=Affine(1, 0, left, 0, 1, top),
                dtype="int32",
            )
        )

    def _refuse(self, one: int, other: int, pixels: int) -> None:
        labels = [str(self.source.labels[n]) for n in (one, other)]
        raise AccuracyError(
            f"polygons of '{self.source.name}' overlap with different labels: number {one + 1} "
            f"('{labels[0]}') and number {other + 1} ('{labels[1]}') share {pixels} pixels or "
            f"more; correct one of them, or leave one label out {self._leave_out}"
        )


def _in_pixels(scene: Scene, polygons: VectorReference) -> NDArray[np.object_]:
    """Bring polygons to the pixels of the map: x is the column, y the row."""
    import shapely

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return to_map(scene, polygons, xy)[:, ::-1]

    return np.asarray(shapely.transform(polygons.geometry, move), object)
