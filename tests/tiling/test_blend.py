import numpy as np
import pytest

from tiling import ramp_weights


@pytest.mark.parametrize("taper", ["hann", "gaussian"])
@pytest.mark.parametrize("width", [2, 16, 63, 128])
def test_ramp_rises_inside_zero_and_one_and_mirrors_to_one(taper, width):
    weights = ramp_weights(width, taper)
    assert (np.diff(weights) > 0).all()
    assert weights.min() > 0
    assert weights.max() < 1
    np.testing.assert_allclose(weights + weights[::-1], 1, atol=1e-6)
