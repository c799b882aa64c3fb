"""Backing off from tensorflow's own out-of-memory error, with a Keras network."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

require_framework("keras")

import tensorflow as tf  # noqa: E402

from rs_workbench.backends import keras_backend  # noqa: E402
from rs_workbench.memory import BackOff  # noqa: E402
from tests.backends import keras_models  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402
from tests.backends.short_of_memory import ShortOfMemory, smooth_scores  # noqa: E402

STRIDE = 4
MARGIN = 32  # the U-Net reaches less far


def exhausted():
    return tf.errors.ResourceExhaustedError(
        None, None, "OOM when allocating tensor with shape[8,64,64,64]\nHint: more lines"
    )


def back_off(predictor, lines, **options):
    return BackOff(
        predictor,
        is_out_of_memory=keras_backend.is_out_of_memory,
        release=keras_backend.release_memory,
        log=lines.append,
        stride=STRIDE,
        **{"margin": 12, "to_cpu": None, **options},
    )


def test_batch_then_tile_then_cpu():
    lines: list[str] = []
    gpu = ShortOfMemory(10, exhausted)
    cpu = ShortOfMemory(10**9, exhausted, device="cpu")
    batch = make_batch(4, 128, 128)
    scores = back_off(gpu, lines, to_cpu=lambda: cpu).predict(batch)
    np.testing.assert_allclose(scores, smooth_scores(batch), atol=1e-6)
    assert lines == [
        "out of memory with 4 tiles at once: going on with 2",
        "out of memory with 2 tiles at once: going on with 1",
        "out of memory with a tile of 128 px: going on with 64 px",
        "out of memory with a tile of 64 px: going on with 32 px",
        "out of memory on 'cuda:0': going on with the CPU, which is slower",
    ]


class Strained:
    """A real Keras network whose graph fails above a number of pixels, as on a full GPU."""

    engine, device = "keras", "cuda:0"

    def __init__(self, predictor, room):
        self.inner, self.card, self.room = predictor, predictor.card, room

    def predict(self, batch):
        if batch.shape[0] * batch.shape[2] * batch.shape[3] > self.room:
            raise exhausted()
        return self.inner.predict(batch)


@pytest.mark.parametrize("room", [2 * 256 * 256, 128 * 128])
def test_scores_of_a_real_network_stay(tmp_path, room):
    path = keras_models.write_deep(tmp_path, 3, 4)
    predictor = keras_backend.load_predictor(path, make_card(stride=STRIDE), device="cpu")
    batch = make_batch(3, 256, 256)
    whole = predictor.predict(batch)
    lines: list[str] = []
    scores = back_off(Strained(predictor, room), lines, margin=MARGIN).predict(batch)
    np.testing.assert_allclose(scores, whole, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), whole.argmax(axis=1))
    assert lines


def test_other_errors_of_tensorflow_pass():
    predictor = ShortOfMemory(10, lambda: tf.errors.InvalidArgumentError(None, None, "shapes"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes"):
        back_off(predictor, []).predict(make_batch(2, 64, 64))
