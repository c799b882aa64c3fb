"""Networks in NumPy whose stride and reach are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from rs_workbench.backends import onnx_backend
from rs_workbench.errors import ModelError
from rs_workbench.probe import Geometry, measure, measure_once
from tests.backends import onnx_models

WEIGHTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def mix(batch):
    return np.einsum("kb,nbhw->nkhw", WEIGHTS, batch)


def blur(radius):
    """Box mean of 2 * radius + 1 px: reach is the radius, stride 1."""

    def predict(batch):
        size = (1, 1, 2 * radius + 1, 2 * radius + 1)
        return mix(ndimage.uniform_filter(batch, size, mode="constant"))

    return predict


def pool(stride, *, strict=True):
    """Maximum of blocks, enlarged again: reach stride - 1."""

    def predict(batch):
        n, b, h, w = batch.shape
        if strict and (h % stride or w % stride):
            raise ModelError(f"sizes must be multiples of {stride}")
        rows, cols = h // stride, w // stride
        cut = batch[..., : rows * stride, : cols * stride]
        low = cut.reshape(n, b, rows, stride, cols, stride).max(axis=(3, 5))
        high = np.zeros_like(batch)
        high[..., : rows * stride, : cols * stride] = low.repeat(stride, 2).repeat(stride, 3)
        return mix(high)

    return predict


def one_side(batch):
    """Each pixel sees 20 px up and no other way."""
    shifted = np.zeros_like(batch)
    shifted[:, :, 20:] = batch[:, :, :-20]
    return mix(batch + shifted)


def whole_mean(batch):
    return mix(batch + 0.01 * batch.mean(axis=(2, 3), keepdims=True))


def by_position(batch):
    """Scores drift with the distance from the tile's upper rim."""
    rows = np.arange(batch.shape[2], dtype=np.float32)[:, None] / 100
    return mix(batch) + rows


@pytest.mark.parametrize("radius", [0, 1, 7, 40, 150])
def test_reach_of_a_blur(radius):
    assert measure(blur(radius), 3) == Geometry(1, radius, radius)


@pytest.mark.parametrize("stride", [2, 4, 16, 32, 3, 12])
def test_stride_of_a_pool(stride):
    geometry = measure(pool(stride), 3)
    assert geometry.stride == stride
    assert geometry.reach is not None
    assert geometry.reach < stride


def test_stride_where_any_size_is_taken():
    """The network takes odd sizes, but its scores move with the input by steps of 8 only."""
    assert measure(pool(8, strict=False), 3).stride == 8


def test_reach_to_one_side_counts():
    assert measure(one_side, 3).reach == 20


def test_mean_over_the_tile_has_no_reach():
    geometry = measure(whole_mean, 3)
    assert geometry.reach is None
    assert geometry.stride == 1
    assert geometry.agreement > 0.98
    assert geometry.effective_reach <= 256


def test_scores_that_depend_on_position_have_no_reach():
    assert measure(by_position, 3).reach is None


def test_fixed_size():
    def predict(batch):
        if batch.shape[2:] != (96, 128):
            raise ModelError("96 x 128 only")
        return pool(4)(blur(5)(batch)[:, :3])

    geometry = measure(predict, 3, fixed_size=(96, 128))
    assert geometry.stride == 4
    assert geometry.fixed_size == (96, 128)
    assert 5 + 3 <= geometry.reach <= 5 + 3 + 3


def test_network_that_takes_nothing():
    def predict(batch):
        raise ModelError("no")

    with pytest.raises(
        ModelError, match=r"none of the tile sizes tried \(multiples of 1 to 64 px"
    ):
        measure(predict, 3)


def test_memory_error_is_no_answer():
    def predict(batch):
        raise MemoryError

    with pytest.raises(MemoryError):
        measure(predict, 3)


def test_same_seed_same_answer():
    assert measure(whole_mean, 3, seed=3) == measure(whole_mean, 3, seed=3)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_measured_margin_is_exact(tmp_path, engine):
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    predictor = onnx_backend.load_predictor(path, None, engine=engine)
    geometry = measure(predictor.predict, 3)
    assert geometry.stride == 4
    image = np.random.default_rng(1).normal(size=(1, 3, 160, 160)).astype(np.float32)
    whole = predictor.predict(image)
    tile = predictor.predict(image[..., 40:120, 44:124])
    m = geometry.reach
    inner = tile[..., m:-m, m:-m]
    np.testing.assert_allclose(inner, whole[..., 40 + m : 120 - m, 44 + m : 124 - m], atol=1e-4)
    m -= 1
    assert np.abs(tile[..., m, :] - whole[..., 40 + m, 44:124]).max() > 1e-5


def test_measured_once(tmp_path):
    store = tmp_path / "cache" / "geometry.json"
    calls = []

    def predict(batch):
        calls.append(batch.shape)
        return blur(3)(batch)

    first = measure_once(predict, 3, fixed_size=None, store=store)
    n = len(calls)
    assert measure_once(predict, 3, fixed_size=None, store=store) == first
    assert len(calls) == n
    store.write_text("{ damaged")
    assert measure_once(predict, 3, fixed_size=None, store=store) == first
    assert len(calls) > n


def test_fixed_size_survives_the_cache(tmp_path):
    store = tmp_path / "geometry.json"
    first = measure_once(blur(2), 3, fixed_size=(64, 96), store=store)
    assert measure_once(blur(2), 3, fixed_size=(64, 96), store=store) == first
