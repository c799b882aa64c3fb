"""Hausdorff distance against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")
segmentation = pytest.importorskip("torchmetrics.functional.segmentation")

from rs_workbench.accuracy.boundary import score_boundaries  # noqa: E402


def _square(rng: np.random.Generator) -> np.ndarray:
    # Away from the rim, which is an edge to torchmetrics and none to us.
    image = np.zeros((24, 24), int)
    row, col, height, width = rng.integers(2, 10, 4)
    image[row : row + height, col : col + width] = 1
    return image


@pytest.mark.parametrize("seed", range(5))
def test_hausdorff_agrees_with_torchmetrics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [_square(rng), _square(rng)]
    found = score_boundaries(*arrays, 2, tolerance=2, max_distance=40)[1]
    planes = [
        torch.nn.functional.one_hot(torch.tensor(a), 2).permute(2, 0, 1)[None] for a in arrays
    ]
    theirs = segmentation.hausdorff_distance(*planes, 2, input_format="one-hot")
    assert found.hausdorff_px == pytest.approx(float(theirs[0, 0]), rel=1e-6)
