"""ChipReader: from a chip's place to its pixels, scaled, padded, with labels and valid pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.band_scaling import make_scaling
from rs_workbench.training.chip_pixels import ChipPixels
from rs_workbench.training.ground import GroundReader
from tiling.chips import Chip
from tiling.label_index import IGNORE
from tiling.windows import Window

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData


class ChipReader(GroundReader):
    """Reads chips as a network sees them: `with ChipReader(data) as reader:`.

    Parameters
    ----------
    data : TrainingData
        Scenes, labels and statistics.
    """

    def __init__(self, data: TrainingData) -> None:
        super().__init__(data.ground)
        self._fill = data.settings.augment.fill
        found = data.statistics
        self._scalings = [
            make_scaling(scene, data.bands, found.mean, found.std, fill=self._fill)
            for scene in data.scenes
        ]

    def read(self, chip: Chip) -> ChipPixels:
        """Read a chip.

        Parameters
        ----------
        chip : Chip
            May leave its scene at the lower and right side.

        Returns
        -------
        ChipPixels
            Scaled as maps are; the fill value, `IGNORE` and invalid where there is no data, and
            outside the scene.

        Raises
        ------
        WorkbenchError
            If a file cannot be read, or a label means no class.
        """
        side = chip.window.height, chip.window.width
        rows, cols = side[0] - chip.padding[0], side[1] - chip.padding[1]
        window = Window(chip.window.row, chip.window.col, rows, cols)
        image = np.full((len(self.ground.bands), *side), self._fill, np.float32)
        labels, valid = np.full(side, IGNORE, np.uint8), np.zeros(side, np.bool_)
        for piece in self.pieces(chip.scene, window):
            out = image[:, :rows, :cols][..., *piece.place]
            self._scalings[chip.scene].apply(piece.pixels, piece.valid, out)
            valid[:rows, :cols][piece.place] = piece.valid
        labels[:rows, :cols] = self.stored_labels(chip.scene, window)
        labels[~valid] = IGNORE
        return ChipPixels(image, labels, valid)
